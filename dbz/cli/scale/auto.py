"""`dbz scale auto`: the rules as a daemon, or as native alarms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson, AwsOptions, Yes
from dbz.cli.scale.access import Access, reach, say
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import ApiServers, Phase, Phases
    from dbz.scaling.decide.sources import SampleSource
    from dbz.scaling.exclusive.lease import Lease

_LOOK_S = 0.1


def auto(
    phase: Annotated[str, typer.Option(help="The phase whose servers are the bounds [default: scaling.bounds].")] = "",
    metrics: Annotated[
        str, typer.Option(metavar="URL", help="Take the servers' own /metrics instead of CloudWatch.")
    ] = "",
    origin: Annotated[
        str,
        typer.Option("--from", metavar="monitor[=FILE]", help="Take what dbz monitor reads instead of CloudWatch."),
    ] = "",
    watched: Annotated[
        str,
        typer.Option("--watched", metavar="NAME", help="With --from: the monitor's target [default: the only one]."),
    ] = "",
    standby: Annotated[
        bool, typer.Option("--standby", help="While another one leads, wait, and take over when it is gone.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Evaluate once, act, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say, but do nothing.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how every condition stands, every time.")] = False,
    emit: Annotated[
        bool, typer.Option("--emit", help="Make native alarms and policies of the rules instead; needs no daemon.")
    ] = False,
    yes: Yes = False,
    *,
    aws: AwsOptions,
    as_json: AsJson = False,
) -> None:
    """Scale by the rules of the plan: out when any condition holds, in when all do.

    \b
    Looks once a period. Missing data hold; nothing happens during a
    deployment. One leads: of this state folder, and with scaling.lease_table
    of all machines. Every step is in dbz scale history.

    \b
    Examples:
      dbz scale auto --dry-run --explain       what it would do, and why
      dbz scale auto --phase phase_3 --yes     between 2 and 10 tasks
      dbz scale auto --yes --standby           on a second machine
      dbz scale auto --metrics http://127.0.0.1:8480 --yes
      dbz scale auto --phases triggers --from monitor --yes
      dbz scale auto --emit --phase phase_3    AWS does it by the same rules

    \b
    Exit codes: 0 ended by Ctrl-C or --once, 2 wrong usage, or another one
    leads, or AWS scales the service by policies already, 3 AWS or the metrics
    out of reach at the start, no data for scaling.no_data_after, or another
    machine has taken over.
    """
    access = reach(aws)
    plan, servers = _followed(access, phase)
    if not plan.scale_out_when_any and not (emit and plan.target_tracking):
        hint = "--emit: AWS does target tracking by itself" if plan.target_tracking else ""
        raise UsageError("the plan has no conditions: scale_out_when_any is empty", hint=hint, code="S022")
    if emit:
        _emit(access, plan, servers, access.plan.whole_phase(phase) if phase else None, yes=yes, as_json=as_json)
        return
    if not (yes or dry_run):
        raise UsageError(
            "it would change the number of tasks by itself", hint="add --yes, or look first with --dry-run", code="E020"
        )
    if plan.target_tracking:
        raise UsageError(
            f"AWS does target tracking ('{plan.target_tracking[0]}'), this daemon does not",
            hint="--emit, or write it as conditions",
            code="S020",
        )
    if origin and metrics:
        raise UsageError("--metrics and --from are two sources: name one of them", code="E003")
    if watched and not origin:
        raise UsageError("--watched needs --from monitor", code="E003")
    manner = _Manner(
        metrics, origin, watched, standby=standby, once=once, dry_run=dry_run, explain=explain, as_json=as_json
    )
    with Interrupts("before anything was looked at; nothing was changed").watch() as interrupts:
        interrupts.defer()
        _run(access, plan, servers, manner, interrupts)
    if not once:
        say("Stopped; the number of tasks stays as it is.")


def _followed(access: Access, phase: str) -> tuple[Phases, ApiServers]:
    """The plan as it is for the service in question, and its bounds; what of the plan is not about it is said."""
    from dbz.scaling.change.others import notes_on_sentences, plan_of_service

    plan = access.plan
    if not phase:
        return plan, plan.scaling.bounds
    whole = plan.whole_phase(phase)
    if other := whole.services.get(access.service):
        for note in notes_on_sentences(plan, access.service, other):
            say(f"Note: {note}.")
        return plan_of_service(plan, access.service, other), other
    if whole.api_servers is None:
        raise UsageError(f"{phase} plans no API servers", hint="give it `api_servers` in the plan", code="S022")
    return plan, whole.api_servers


def _emit(access: Access, plan: Phases, servers: ApiServers, phase: Phase | None, *, yes: bool, as_json: bool) -> None:
    """Policies and alarms of the service, and of the others of its phase that scale."""
    from dbz.cli.scale.carry_out import carry_out
    from dbz.cli.scale.services import look, other_services
    from dbz.scaling.change.planner import Wanted, plan_native

    live, plan = look(access.handle, plan)
    made = plan_native(live, plan, servers)
    if phase and access.service not in phase.services:
        also = other_services(access, phase, Wanted(phase.name, servers), only_native=True)
        made = replace(made, also=also, priority=access.plan.scaling.priority(access.service))
    carry_out(access, made, yes=yes, timeout_s=900.0, as_json=as_json)


@dataclass(frozen=True)
class _Manner:
    """How to go about it."""

    metrics: str
    """URL of the servers; empty: another source."""
    origin: str
    """`monitor`, or `monitor=FILE`; empty: another source. Without any it is CloudWatch."""
    watched: str
    """The monitor's target; empty: the only one."""
    standby: bool
    once: bool
    dry_run: bool
    explain: bool
    as_json: bool


def _run(access: Access, plan: Phases, servers: ApiServers, manner: _Manner, interrupts: Interrupts) -> None:
    """Lead and follow until the user asks to stop; with standby again after the lead was lost."""
    from dbz.scaling.change.live import read_live, with_target_groups
    from dbz.scaling.exclusive.lease import LeaseLostError
    from dbz.scaling.exclusive.roles import leading
    from dbz.scaling.native import with_balancer

    def wait(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not interrupts.requested:
            time.sleep(_LOOK_S)
        return bool(interrupts.requested)

    live = with_target_groups(access.aws, read_live(access.handle))
    plan = with_balancer(plan, live)
    if manner.dry_run:
        _follow(access, plan, servers, manner, wait, None)
        return
    while not interrupts.requested:
        try:
            with leading(access.aws, plan.scaling, live.place, say, wait, standby=manner.standby) as lead:
                _follow(access, plan, servers, manner, wait, lead)
        except KeyboardInterrupt:
            return
        except LeaseLostError as error:
            if not manner.standby:
                raise
            say(f"The lead was {error.message}.")
        else:
            return


def _follow(
    access: Access,
    plan: Phases,
    servers: ApiServers,
    manner: _Manner,
    wait: Callable[[float], bool],
    lead: Lease | None,
) -> None:
    from dbz.report.terminal.scale.decisions import Teller
    from dbz.scaling.decide.daemon import Autoscaler, run_forever
    from dbz.scaling.exclusive.lease import LeaseStaleError

    source = _source(access, plan, manner)
    follower = Autoscaler(access.handle, plan, servers, source, dry_run=manner.dry_run, lead=lead)
    teller = Teller(explain=manner.explain or manner.once, as_json=manner.as_json, dry_run=manner.dry_run)
    teller.begin(follower, manner.metrics or manner.origin or "CloudWatch")
    try:
        teller.tell(follower.evaluate())  # what is wrong from the start ends it
    except LeaseStaleError as stale:  # but a beat that a busy machine makes late will come
        if manner.once:
            raise
        say(f"holding: {stale.message}")
    if not manner.once and not wait(follower.next_s()):
        run_forever(follower, teller.tell, say, wait)


def _source(access: Access, plan: Phases, manner: _Manner) -> SampleSource:
    from dbz.scaling.decide.sources import CloudWatchSource, MetricsSource

    if manner.metrics:
        return MetricsSource(manner.metrics, plan.scaling)
    if manner.origin:
        from dbz.cli.scale.readings import MonitorSource, monitor_file

        return MonitorSource(monitor_file(manner.origin), manner.watched, plan.scaling.period)
    return CloudWatchSource(access.aws, plan.scaling, (*plan.scale_out_when_any, *plan.scale_in_when_all))
