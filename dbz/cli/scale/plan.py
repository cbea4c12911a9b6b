"""`dbz scale plan`: what has to be done for a phase."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, AwsOptions, Reports
from dbz.cli.scale.access import Access, AllowScaleIn, Expires, expiry, reach
from dbz.cli.scale.services import look, other_services, plan_one
from dbz.errors import UsageError, VerificationError
from dbz.units import counted

if TYPE_CHECKING:
    from dbz.config.phases.plan import Phase, Phases
    from dbz.scaling.change.steps import ChangePlan

PhaseName = Annotated[str, typer.Argument(metavar="PHASE", help="A phase of the plan, like phase_2.")]


def plan(
    phase: PhaseName,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan for dbz scale apply --plan.")] = None,
    expires: Expires = "",
    allow_scale_in: AllowScaleIn = False,
    *,
    aws: AwsOptions,
    reports: Reports = DEFAULT_REPORTS,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 when a step of dbz or of yours is open, for CI.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare what runs with a phase, and print what has to be done.

    \b
    Nothing is changed. dbz itself does the tasks, the autoscaling and the
    cache's replicas; the rest it looks up where there is an API, and prints
    how to get what is not there. A phase needs what those before it added.

    \b
    Examples:
      dbz scale plan phase_2
      dbz scale plan phase_3 --out phase_3.json
      dbz scale plan phase_1 --allow-scale-in
      dbz scale plan phase_2 --exit-code          for CI: 1 while a step is open
    """
    access = reach(aws)
    made = make_plan(access, phase, allow_scale_in=allow_scale_in, expires=expires, reports=reports)
    if out:
        _save(made, out)
    if as_json:
        typer.echo(json.dumps(made.document(), indent=1))
    else:
        from dbz.report.terminal.scale.words import print_plan

        print_plan(made, access.aws.where)
    still_open = sum(len(one.steps) for one in made.everything())
    if exit_code and (still_open or made.manual):
        mine, yours = counted(still_open, "step"), len(made.manual)
        raise VerificationError(f"{phase} is not reached: {mine} of dbz and {yours} of yours are open", code="S026")


def _save(made: ChangePlan, out: Path) -> None:
    try:
        out.write_text(json.dumps(made.document(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the plan to {out}: {error.strerror}", code="E006") from error
    typer.echo(f"Saved: dbz scale apply --plan {out}", err=True)


def make_plan(
    access: Access, name: str, *, allow_scale_in: bool, expires: str, reports: Path = DEFAULT_REPORTS
) -> ChangePlan:
    """The plan for a phase, from what runs now: for all its services, or for the one that is named."""
    from dbz.scaling.change.planner import Wanted, plan_phase
    from dbz.scaling.entries.looking import look_up

    phase, until = access.plan.whole_phase(name), expiry(expires)
    if servers := phase.services.get(access.service):
        return plan_one(access, phase, access.service, Wanted(name, servers, allow_scale_in, until))
    if phase.api_servers is None:
        raise UsageError(f"{name} plans no API servers", hint="give it `api_servers` in the plan", code="S022")
    live, plan = look(access.handle, access.plan, access.cache_group)
    wanted = Wanted(name, phase.api_servers, allow_scale_in, until)
    made = plan_phase(live, plan, phase, wanted, look_up(access.aws, live, phase))
    short = _shortfall(access.plan, phase, reports)
    also = other_services(access, phase, wanted)
    priority = access.plan.scaling.priority(access.service)
    return replace(made, notes=(short, *made.notes) if short else made.notes, also=also, priority=priority)


def _shortfall(plan: Phases, phase: Phase, reports: Path) -> str:
    """What the phase's tasks do not carry, or nobody knows, by the newest capacity of the reports folder; empty without
    one."""
    from dbz.scaling.size.apart import shortfall_apart
    from dbz.scaling.size.measured import newest_capacity, read_measured
    from dbz.scaling.size.sizing import not_known, shortfall

    file = newest_capacity(reports)
    if file is None:
        return ""
    try:
        measured = read_measured(str(file), reports, None)
    except UsageError:  # a capacity of somebody else's servers says nothing about these
        return ""
    short = shortfall_apart(plan, phase, measured) if measured.services else shortfall(phase, measured)
    return short or not_known(phase, measured)
