"""`dbz scale apply`: bringing a phase about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, AwsOptions, Yes, duration_of
from dbz.cli.scale.access import Access, AllowScaleIn, Expires, Timeout, reach, say
from dbz.cli.scale.carry_out import carry_out
from dbz.cli.scale.plan import make_plan
from dbz.errors import UsageError


def apply(
    phase: Annotated[str, typer.Argument(metavar="[PHASE]", help="A phase of the plan, like phase_2.")] = "",
    saved: Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="A plan saved earlier.")] = None,
    resume: Annotated[str, typer.Option(metavar="ID", help="Go on with a change that was interrupted.")] = "",
    yes: Yes = False,
    timeout: Timeout = "15m",
    verify: Annotated[str, typer.Option(metavar="PROFILE", help="Then run dbz load PROFILE; must pass.")] = "",
    target: Annotated[str, typer.Option(metavar="URL", help="The app's URL for --verify.")] = "",
    expires: Expires = "",
    allow_scale_in: AllowScaleIn = False,
    *,
    aws: AwsOptions,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where a verifying run goes.")] = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Bring a phase about, wait until it runs, and put everything back if it does not.

    \b
    Every call is written to a journal before it is made. When tasks do not
    become steady within --timeout, when the run of --verify breaks a
    budget, or when a call fails, exactly what was there is put back. A
    saved plan is refused when what is there has changed since.

    \b
    Examples:
      dbz scale apply phase_2
      dbz scale apply phase_2 --yes --verify smoke --target https://staging.example
      dbz scale apply --plan phase_3.json --yes
      dbz scale apply phase_3 --yes --expires 4h

    \b
    Exit codes: 0 done, 1 did not become steady, a budget broke, or somebody
    changed something, 2 wrong usage, 3 AWS out of reach or refusing,
    130 interrupted (what was done stays; --resume or rollback).
    """
    from dbz.scaling.change.journal import find_entry
    from dbz.scaling.change.live import place_of
    from dbz.scaling.change.steps import read_plan

    if sum((bool(phase), saved is not None, bool(resume))) != 1:
        raise UsageError("name one of: a PHASE, --plan FILE, --resume ID")
    access = reach(aws)
    entry = find_entry(resume, place_of(access.handle)) if resume else None
    if entry:
        entry.check_resumable()
        made = entry.plan
    elif saved:
        made = read_plan(saved)
    else:
        made = make_plan(access, phase, allow_scale_in=allow_scale_in, expires=expires, reports=reports)
    checks = _Checks(access, verify, target, reports)
    checks.refuse_early()
    carry_out(access, made, yes=yes, timeout_s=duration_of("--timeout", timeout), verify=checks.run if verify else None,
              resumed=entry, as_json=as_json)  # fmt: skip


class _Checks:
    """The verifying load run."""

    def __init__(self, access: Access, profile: str, target: str, reports: Path) -> None:
        self._profile, self._target, self._reports = profile, target or access.load_target, reports

    def refuse_early(self) -> None:
        """`UsageError` before anything is changed when the run could not be started."""
        from dbz.config.profile import load_profile

        if not self._profile:
            return
        load_profile(self._profile)
        if not self._target:
            raise UsageError(
                "--verify needs --target URL: where the app answers", hint="its load balancer, for example"
            )

    def run(self) -> None:
        """Run it; raises unless it passes."""
        from dbz.scaling.change.verifying import verify_by_load

        verify_by_load(self._profile, self._target, self._reports, say)
