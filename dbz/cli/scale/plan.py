"""`dbz scale plan`: what has to be done for a phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AsJson, AwsOptions
from dbz.cli.scale.access import Access, AllowScaleIn, Expires, expiry, reach
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.scaling.change.steps import ChangePlan

PhaseName = Annotated[str, typer.Argument(metavar="PHASE", help="A phase of the plan, like phase_2.")]


def plan(
    phase: PhaseName,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the plan for dbz scale apply --plan.")] = None,
    expires: Expires = "",
    allow_scale_in: AllowScaleIn = False,
    *,
    aws: AwsOptions,
    as_json: AsJson = False,
) -> None:
    """Compare what runs with a phase, and print what has to be done.

    \b
    Nothing is changed. dbz itself does the tasks, the autoscaling and the
    cache's replicas; for the rest it prints how.

    \b
    Examples:
      dbz scale plan phase_2
      dbz scale plan phase_3 --out phase_3.json
      dbz scale plan phase_1 --allow-scale-in
    """
    access = reach(aws)
    made = make_plan(access, phase, allow_scale_in=allow_scale_in, expires=expires)
    if out:
        _save(made, out)
    if as_json:
        typer.echo(json.dumps(made.document(), indent=1))
    else:
        from dbz.report.terminal.scale.words import print_plan

        print_plan(made, access.aws.where)


def _save(made: ChangePlan, out: Path) -> None:
    try:
        out.write_text(json.dumps(made.document(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the plan to {out}: {error.strerror}") from error
    typer.echo(f"Saved: dbz scale apply --plan {out}", err=True)


def make_plan(access: Access, name: str, *, allow_scale_in: bool, expires: str) -> ChangePlan:
    """The plan for a phase, from what runs now."""
    from dbz.scaling.change.live import read_live, with_target_groups
    from dbz.scaling.change.planner import Wanted, plan_phase
    from dbz.scaling.native import with_balancer

    phase = access.plan.phase(name)
    if phase.api_servers is None:
        raise UsageError(f"{name} plans no API servers", hint="give it `api_servers` in the plan")
    until = expiry(expires)
    live = with_target_groups(access.aws, read_live(access.handle, access.cache_group))
    return plan_phase(
        live, with_balancer(access.plan, live), phase, Wanted(name, phase.api_servers, allow_scale_in, until)
    )
