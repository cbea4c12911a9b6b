"""`dbz scale auto`: the rules as a daemon, or as native alarms."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.scale_access import (
    Access,
    AsJson,
    AwsProfile,
    Cluster,
    Local,
    PhasesFile,
    Region,
    ServiceName,
    Yes,
    reach,
    say,
)
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases import ApiServers, Phases
    from dbz.scaling.daemon import Autoscaler, Outcome
    from dbz.scaling.rules import Standing
    from dbz.scaling.sources import Source

_LOOK_S = 0.1


def auto(
    phase: Annotated[str, typer.Option(help="The phase whose servers are the bounds [default: scaling.bounds].")] = "",
    metrics: Annotated[
        str, typer.Option(metavar="URL", help="Take the servers' own /metrics instead of CloudWatch.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Evaluate once, act, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say, but do nothing.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how every condition stands, every time.")] = False,
    emit: Annotated[
        bool, typer.Option("--emit", help="Make native alarms and policies of the rules instead; needs no daemon.")
    ] = False,
    yes: Yes = False,
    phases: PhasesFile = "default",
    cluster: Cluster = "",
    service: ServiceName = "",
    aws_profile: AwsProfile = "",
    region: Region = "",
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Scale by the rules of the plan: out when any condition holds, in when all do.

    \b
    Looks once a period. Missing data hold; nothing happens during a
    deployment; one dbz scale auto leads for each state folder. Every step
    is in dbz scale history.

    \b
    Examples:
      dbz scale auto --dry-run --explain       what it would do, and why
      dbz scale auto --phase phase_3 --yes     between 2 and 10 tasks
      dbz scale auto --metrics http://127.0.0.1:8480 --yes
      dbz scale auto --emit --phase phase_3    AWS does it by the same rules

    \b
    Exit codes: 0 ended by Ctrl-C or --once, 2 wrong usage, or AWS scales
    the service by policies already, 3 AWS or the metrics out of reach at
    the start.
    """
    access = reach(phases, cluster, service, aws_profile, region, local=local)
    plan = named(access)
    servers = _servers(plan, phase)
    if not plan.scale_out_when_any:
        raise UsageError("the plan has no conditions: scale_out_when_any is empty")
    if emit:
        _emit(access, plan, servers, yes=yes, as_json=as_json)
        return
    if not (yes or dry_run):
        raise UsageError(
            "it would change the number of tasks by itself", hint="add --yes, or look first with --dry-run"
        )
    _run(access, plan, servers, metrics, once=once, dry_run=dry_run, explain=explain, as_json=as_json)


def named(access: Access) -> Phases:
    """The plan with the cluster and the service that were named on the command line."""
    scaling = access.plan.scaling.model_copy(update={"cluster": access.cluster, "service": access.service})
    return access.plan.model_copy(update={"scaling": scaling})


def _servers(plan: Phases, phase: str) -> ApiServers:
    servers = plan.phase(phase).api_servers if phase else plan.scaling.bounds
    if servers is None:
        raise UsageError(f"{phase} plans no API servers", hint="give it `api_servers` in the plan")
    return servers


def _emit(access: Access, plan: Phases, servers: ApiServers, *, yes: bool, as_json: bool) -> None:
    from dbz.cli.scale_doing import carry_out
    from dbz.scaling.live import read_live
    from dbz.scaling.planner import plan_native

    live = read_live(access.aws, access.cluster, access.service)
    carry_out(access, plan_native(live, plan, servers), yes=yes, timeout_s=900.0, as_json=as_json)


def _run(
    access: Access,
    plan: Phases,
    servers: ApiServers,
    metrics: str,
    *,
    once: bool,
    dry_run: bool,
    explain: bool,
    as_json: bool,
) -> None:
    from dbz.scaling.daemon import Autoscaler, leading, run_forever

    with leading(access.aws, plan), Interrupts().watch() as interrupts:
        interrupts.defer()
        source = _source(access, plan, metrics)
        follower = Autoscaler(access.aws, plan, servers, source, dry_run=dry_run)
        teller = _Teller(explain=explain or once, as_json=as_json, dry_run=dry_run)
        teller.begin(follower, metrics or "CloudWatch")
        teller.tell(follower.evaluate())  # what is wrong from the start ends it
        if once:
            return

        def wait(seconds: float) -> bool:
            end = time.monotonic() + seconds
            while time.monotonic() < end and not interrupts.requested:
                time.sleep(_LOOK_S)
            return bool(interrupts.requested)

        if not wait(follower.next_s()):
            run_forever(follower, teller.tell, say, wait)
    say("Stopped; the number of tasks stays as it is.")


def _source(access: Access, plan: Phases, metrics: str) -> Source:
    from dbz.scaling.sources import CloudWatchSource, MetricsSource

    if metrics:
        return MetricsSource(metrics, plan.scaling)
    return CloudWatchSource(access.aws, plan.scaling, (*plan.scale_out_when_any, *plan.scale_in_when_all))


class _Teller:
    """Says what is decided: every step, and a hold when its reason is new; with `explain` every evaluation."""

    def __init__(self, *, explain: bool, as_json: bool, dry_run: bool) -> None:
        self._explain, self._as_json, self._dry_run = explain, as_json, dry_run
        self._last = ""

    def begin(self, follower: Autoscaler, whence: str) -> None:
        """What is being followed."""
        from dbz.units import format_duration

        policy = follower.policy
        every = format_duration(policy.period_s)
        dry = "; a dry run" if self._dry_run else ""
        say(f"Scaling between {policy.lowest} and {policy.highest} tasks by {whence}, every {every}{dry}.")

    def tell(self, outcome: Outcome) -> None:
        """One evaluation."""
        decision = outcome.decision
        if self._as_json:
            typer.echo(json.dumps(_document(outcome)))
            return
        text = f"{decision.action.value} {decision.reason}"
        if self._explain or decision.action.value != "hold" or text != self._last:
            at = datetime.fromtimestamp(outcome.at_s, UTC)
            before = outcome.service.desired
            tasks = f"{before}" if before == decision.desired else f"{before} → {decision.desired}"
            would = " (not done: dry run)" if self._dry_run and decision.action.value != "hold" else ""
            typer.echo(f"{at:%H:%M:%S}  {decision.action.value:<4}  {tasks:<7}  {decision.reason}{would}")
        self._last = text
        if self._explain:
            for one in outcome.standings:
                typer.echo(f"          {_standing_text(one)}")


def _standing_text(one: Standing) -> str:
    value = "missing" if one.value is None else one.condition.value_text(one.value)
    missing = f", {one.missing} missing" if one.missing else ""
    met = "met" if one.met else "not met"
    return (
        f"{one.direction.value:<4} {one.condition!s:<44} now {value:<10} "
        f"{one.holding} of {one.window} samples hold, {one.needed} needed{missing}: {met}"
    )


def _document(outcome: Outcome) -> dict[str, object]:
    return {
        "schema": "dbz.scale-decision/1",
        "at": datetime.fromtimestamp(outcome.at_s, UTC).isoformat(timespec="milliseconds"),
        "action": outcome.decision.action.value,
        "before": outcome.service.desired,
        "desired": outcome.decision.desired,
        "running": outcome.service.running,
        "done": outcome.done,
        "reason": outcome.decision.reason,
        "conditions": [
            {
                "direction": one.direction.value, "condition": str(one.condition), "value": one.value,
                "holding": one.holding, "needed": one.needed, "window": one.window, "missing": one.missing,
                "met": one.met,
            }
            for one in outcome.standings
        ],
    }  # fmt: skip
