"""`dbz scale set`: the quick manual step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.options import AsJson, AwsOptions, Yes, duration_of
from dbz.cli.scale.access import Access, AllowScaleIn, Expires, Timeout, expiry, reach
from dbz.cli.scale.carry_out import carry_out
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import ApiServers


def set_(
    tasks: Annotated[int | None, typer.Option(min=0, help="The desired number of tasks.")] = None,
    lowest: Annotated[int | None, typer.Option("--min", min=0, help="Fewest tasks of the autoscaler's range.")] = None,
    highest: Annotated[int | None, typer.Option("--max", min=0, help="Most tasks of the autoscaler's range.")] = None,
    yes: Yes = False,
    timeout: Timeout = "15m",
    expires: Expires = "",
    allow_scale_in: AllowScaleIn = False,
    *,
    aws: AwsOptions,
    as_json: AsJson = False,
) -> None:
    """Set the number of tasks, or the autoscaler's range, at once and safely.

    \b
    As careful as dbz scale apply: bounds of the plan, journal, waiting,
    the way back.

    \b
    Examples:
      dbz scale set --tasks 6 --yes
      dbz scale set --min 4 --max 12 --expires 4h
      dbz scale set --tasks 2 --allow-scale-in
    """
    from dbz.scaling.change.live import read_live
    from dbz.scaling.change.planner import Wanted, plan_tasks

    access = reach(aws)
    live = read_live(access.handle)
    servers = _servers(access, live.target, tasks, lowest, highest)
    until, fixed = expiry(expires), tasks is not None
    goal = f"{tasks} tasks" if fixed else f"{servers.min} to {servers.max} tasks"
    keep_range = fixed and not until and not live.pinned
    if keep_range and live.target is not None:
        _refuse_outside(servers.min, live.target["MinCapacity"], live.target["MaxCapacity"])
    wanted = Wanted(goal, servers, allow_scale_in, until, keep_range=keep_range)
    made = plan_tasks(live, wanted)
    carry_out(access, made, yes=yes, timeout_s=duration_of("--timeout", timeout), as_json=as_json)


def _refuse_outside(tasks: int, low: int, high: int) -> None:
    if not low <= tasks <= high:
        raise UsageError(
            f"{tasks} tasks are outside the autoscaler's range of {low} to {high}: it would take that back",
            hint="change the range with --min and --max, or for a while with --expires",
            code="S019",
        )


def _servers(access: Access, target: object, tasks: int | None, lowest: int | None, highest: int | None) -> ApiServers:
    """What was asked for, within the plan's bounds."""
    from dbz.config.phases.plan import ApiServers

    if (tasks is None) == (lowest is None and highest is None):
        raise UsageError("name either --tasks N, or --min N and --max N", code="E004")
    now = target if isinstance(target, dict) else {}
    low = tasks if tasks is not None else lowest if lowest is not None else now.get("MinCapacity")
    high = tasks if tasks is not None else highest if highest is not None else now.get("MaxCapacity")
    if low is None or high is None:
        raise UsageError("the service has no range yet: name both --min and --max", code="E004")
    if low > high:
        raise UsageError(f"--min {low} is more than --max {high}", code="E002")
    bounds = access.plan.scaling.bounds
    for number in (low, high):
        if not bounds.min <= number <= bounds.max:
            raise UsageError(
                f"{number} is outside the plan's scaling.bounds of {bounds.min} to {bounds.max}", code="S019"
            )
    return ApiServers(min=low, max=high)
