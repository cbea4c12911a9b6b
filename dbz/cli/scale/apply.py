"""`dbz scale apply`: bringing a phase about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, AwsOptions, Yes, duration_of
from dbz.cli.scale.access import AllowScaleIn, Expires, Timeout, reach
from dbz.cli.scale.afterwards import FollowUp, FollowUpOptions
from dbz.cli.scale.carry_out import carry_out
from dbz.cli.scale.plan import make_plan
from dbz.errors import UsageError


def apply(
    phase: Annotated[str, typer.Argument(metavar="[PHASE]", help="A phase of the plan, like phase_2.")] = "",
    saved: Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="A plan saved earlier.")] = None,
    resume: Annotated[str, typer.Option(metavar="ID", help="Go on with a change that was interrupted.")] = "",
    yes: Yes = False,
    timeout: Timeout = "15m",
    expires: Expires = "",
    allow_scale_in: AllowScaleIn = False,
    *,
    then: FollowUpOptions,
    aws: AwsOptions,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where a verifying run goes.")] = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Bring a phase about, wait until it runs, and put everything back if it does not.

    \b
    Every call is written to a journal before it is made. When tasks do not
    become steady within --timeout, when the run of --verify breaks a
    budget, or when a call fails, exactly what was there is put back. A
    saved plan is refused when what is there has changed since. When the
    phase says so, the cache is warmed and clubs are moved before the run of
    --verify; asked for at a terminal, elsewhere by the options.

    \b
    Examples:
      dbz scale apply phase_2
      dbz scale apply phase_2 --yes --verify phase --target https://staging.example
      dbz scale apply phase_2 --yes --verify phase:club.yaml --verify-for 30s
      dbz scale apply phase_2 --yes --warm --move-clubs
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
        raise UsageError("name one of: a PHASE, --plan FILE, --resume ID", code="E004")
    access = reach(aws)
    entry = find_entry(resume, place_of(access.handle)) if resume else None
    if entry:
        entry.check_resumable()
        made = entry.plan
    elif saved:
        made = read_plan(saved)
    else:
        made = make_plan(access, phase, allow_scale_in=allow_scale_in, expires=expires, reports=reports)
    following = FollowUp(access, made.goal, then, aws.phases, reports)
    carry_out(access, made, yes=yes, timeout_s=duration_of("--timeout", timeout), following=following, resumed=entry,
              as_json=as_json)  # fmt: skip
