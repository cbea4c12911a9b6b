"""`dbz scale simulate`: what the rules would have done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dbz.cli.options import DEFAULT_REPORTS, AsJson, PhasesFile, Reports, duration_of, parsed
from dbz.cli.scale.simulate.policies import controller_for, not_simulated, plan_of
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.cli.scale.simulate.together import SimulatedService
    from dbz.config.phases.plan import Phase, Phases, Prices
    from dbz.scaling.simulate.simulator import Price
    from dbz.scaling.size.sizing import MeasuredTask

HOURS_A_MONTH = 730
FILLED = 0.7
"""How busy the plan's own servers are assumed to be when no capacity was measured."""


def simulate(
    trace: Annotated[
        list[str] | None,
        typer.Option(metavar="[SERVICE=]FILE|RUN", help="A recorded load, see below; may be repeated."),
    ] = None,
    recorded_tasks: Annotated[
        int | None, typer.Option(min=1, help="With --trace of CloudWatch: tasks that ran, where it does not say.")
    ] = None,
    shape: Annotated[
        Literal["phases", "spike", "ramp", "day"], typer.Option(help="A made-up load, without --trace.")
    ] = "phases",
    phase: Annotated[
        str, typer.Option(help="The phase whose load a shape reaches and whose servers are the bounds.")
    ] = "",
    phases: PhasesFile = "default",
    policy: Annotated[
        list[str] | None,
        typer.Option(help="rules, rules:FILE, fixed:N, target:60%, target:60%@20s; several compared [default: rules]."),
    ] = None,
    how: Annotated[
        Literal["dbz", "native"],
        typer.Option("--as", help="Who follows the conditions: dbz scale auto, or alarms of AWS."),
    ] = "dbz",
    per_task: Annotated[
        str, typer.Option(help="Requests that one task carries, like 50/s, or chat=50/s,game=20/s.")
    ] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|RUN", help="Take that from a capacity.json or a run.")
    ] = "",
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks at the start [default: the minimum].")] = None,
    room: Annotated[
        int | None,
        typer.Option(min=1, help="Of services apart: tasks for which there is a place; priority decides who gets one."),
    ] = None,
    start_delay: Annotated[str, typer.Option(help="Until a task that was asked for answers.")] = "60s",
    seed: Annotated[int, typer.Option(help="The same seed gives the same load.")] = 1,
    reports: Reports = DEFAULT_REPORTS,
    as_json: AsJson = False,
) -> None:
    """Replay a load through the scaling rules, without touching anything.

    \b
    The conditions of the plan are carried out by the same engine as in
    dbz scale auto, its target_tracking as AWS would. A trace is a CSV file with the columns time (seconds or
    ISO 8601) and requests (a second), or cpu (percent) with tasks; and, if
    known, connections and memory (percent). An empty cell is missing data.
    Or it is what CloudWatch gives out: the CSV of its console, or the JSON
    of get-metric-data and get-metric-statistics, one metric a file.
    target:60% is what AWS target tracking on CPU would do, target:60%@20s
    with the metrics that ECS can write every 20 seconds.

    \b
    Services apart are simulated each by itself, and together where they share
    --room: with a shape, by a capacity that was measured with services apart;
    with traces, by columns such as requests{service=chat}, by one --trace
    SERVICE=FILE for each, or by a run of dbz load (the CPU of each service).

    \b
    Examples:
      dbz scale simulate                                 the plan's phases
      dbz scale simulate --shape spike --phase phase_3
      dbz scale simulate --trace monday.csv --per-task 60/s
      dbz scale simulate --trace cpu.json --recorded-tasks 4
      dbz scale simulate --policy rules --policy target:60% --policy fixed:6
      dbz scale simulate --policy target:60% --policy target:60%@20s
      dbz scale simulate --trace chat=chat.csv --trace game=game.csv --room 12
    """
    from dbz.config.phases.file import load_phases
    from dbz.report.terminal.scale.charts import print_simulations
    from dbz.scaling.change.surroundings import ONLY_BY_DBZ
    from dbz.scaling.simulate.simulator import Price
    from dbz.scaling.simulate.simulator import simulate as replay
    from dbz.scaling.simulate.traces import make_shape, read_traces
    from dbz.units import format_number

    plan = load_phases(phases)
    chosen = _phase(plan, phase)
    delay_s = round(duration_of("--start-delay", start_delay))
    asked = ReplayOptions(policy or ["rules"], how, tasks, delay_s)
    loads = _services(plan, chosen, trace or [], shape, (per_task, source, recorded_tasks, seed), reports)
    if loads is not None:
        _simulate_services(plan, chosen, loads, asked, room, as_json=as_json)
        return
    if room is not None:
        raise UsageError("--room is about services apart, and only one load is simulated", code="E003")
    rate, whence = _per_task(plan, chosen, per_task, source, reports)
    paths = [Path(text) for text in trace or ()]
    load = read_traces(paths, rate, recorded_tasks) if paths else make_shape(shape, plan.phases, chosen, rate, seed)
    lowest, highest = _bounds(plan, chosen if phase else None)
    found = []
    for text in asked.policies:
        name, controller, begin = controller_for(text, plan, lowest, highest, how)
        first = begin or min(max(tasks or lowest, lowest), highest)
        found.append(
            replay(name, controller, load, first, per_task=plan.scaling.connections_per_server, start_delay_s=delay_s)
        )
    monthly = plan.prices.api_server
    price = Price(monthly / HOURS_A_MONTH, plan.prices.currency) if monthly else None
    if as_json:
        from dbz.report.documents import simulation_json

        typer.echo(simulation_json(load, rate, found, price))
    else:
        about = f"one task carries {format_number(rate)} requests/s ({whence})"
        print_simulations(load, about, (lowest, highest), found, price)
        if how == "native":
            for note in ONLY_BY_DBZ:
                typer.echo(f"Note: {note}.")
        for used in [plan_of(text, plan) for text in policy or ["rules"]]:
            for condition in not_simulated(used) if used else ():
                typer.echo(f"Note: '{condition}' never holds here: a simulation knows no {condition.metric}.")


@dataclass(frozen=True)
class ReplayOptions:
    """How loads are to be replayed."""

    policies: list[str]
    how: str
    """Who follows the conditions: `dbz` or `native`."""
    tasks: int | None
    """At the start; None: as few as there may be."""
    delay_s: int


def _services(
    plan: Phases,
    phase: Phase,
    traces: list[str],
    shape: str,
    given: tuple[str, str, int | None, int],
    reports: Path,
) -> list[SimulatedService] | None:
    """The services that are simulated, each with its load; None: all is one."""
    from dbz.cli.scale.simulate.together import is_of_services, rates_by, rates_given, recorded, shaped, taking_part

    per_task, source, recorded_tasks, seed = given
    if traces:
        if not is_of_services(traces, reports):
            return None
        rates = rates_by(plan, _measured(source, reports), rates_given(per_task))
        return taking_part(plan, phase, recorded(traces, rates, recorded_tasks, reports))
    measured = None if per_task else _measured(source, reports)
    if measured is None or not measured.services:
        return None
    return taking_part(plan, phase, shaped(shape, plan, phase, measured, seed))


def _measured(source: str, reports: Path) -> MeasuredTask | None:
    """What --from names, else the newest capacity that says how many tasks it was measured with."""
    from dbz.scaling.size.measured import newest_capacity, read_measured

    if source:
        return read_measured(source, reports, None)
    file = newest_capacity(reports)
    try:
        return read_measured(str(file), reports, None) if file else None
    except UsageError:
        return None


def _simulate_services(
    plan: Phases, phase: Phase, loads: list[SimulatedService], asked: ReplayOptions, room: int | None, *, as_json: bool
) -> None:
    from dbz.cli.scale.simulate.together import plan_for, room_for
    from dbz.report.documents import services_simulation_json
    from dbz.report.terminal.scale.together import print_service_simulations
    from dbz.report.words.simulations import PlayedService
    from dbz.scaling.simulate.simulator import Fixed, Player, TaskRoom, simulate_together

    played: dict[str, list[PlayedService]] = {}
    for text in asked.policies:
        players = []
        for one in loads:
            low, high = one.servers.min, one.servers.max
            own = plan_for(plan_of(text, plan) or plan, one)
            begin = min(max(asked.tasks or low, low), high)
            if text.startswith("rules") and not (own.scale_out_when_any or own.target_tracking):
                players.append(Player(one.name, Fixed(begin, own.scaling.period), one.trace, begin))
                continue
            _, controller, first = controller_for(text, own, low, high, asked.how, rules=own)
            players.append(Player(one.name, controller, one.trace, first or begin))
        free = room_for(room, [player.tasks for player in players])
        results = simulate_together(
            players,
            per_task=plan.scaling.connections_per_server,
            start_delay_s=asked.delay_s,
            room=None if free is None else TaskRoom(free),
        )
        prices = plan.prices
        played[text] = [
            PlayedService(result, plan.scaling.priority(result.policy), one.servers, _price(prices, result.policy))
            for result, one in zip(results, loads, strict=True)
        ]
    if as_json:
        typer.echo(services_simulation_json(phase.name, played, room))
    else:
        print_service_simulations(phase.name, played, room)


def _price(prices: Prices, service: str) -> Price | None:
    from dbz.scaling.simulate.simulator import Price

    monthly = prices.of_task(service)
    return None if monthly is None else Price(monthly / HOURS_A_MONTH, prices.currency)


def _phase(plan: Phases, name: str) -> Phase:
    """The named phase, else the last one that scales by itself, else the last one."""
    if name:
        return plan.phase(name)
    automatic = [one for one in plan.phases if one.api_servers and not one.api_servers.fixed]
    return (automatic or plan.phases)[-1]


def _bounds(plan: Phases, phase: Phase | None) -> tuple[int, int]:
    servers = phase.api_servers if phase and phase.api_servers else plan.scaling.bounds
    return servers.min, servers.max


def _per_task(plan: Phases, phase: Phase, given: str, source: str, reports: Path) -> tuple[float, str]:
    """Requests a second of one task, and how that is known."""
    from dbz.scaling.size.measured import newest_capacity, read_measured
    from dbz.units import parse_rate

    if given:
        rate = parsed("--per-task", given, parse_rate)
        if rate <= 0:
            raise UsageError("--per-task: must be more than 0", code="E002")
        return rate, "given"
    name = source or str(newest_capacity(reports) or "")
    if name:
        measured = read_measured(name, reports, None)
        if not measured.requests_per_s:
            raise UsageError(f"{measured.source} measured no requests", hint="say it with --per-task 50/s", code="S028")
        return measured.requests_per_s / measured.servers, f"measured: {measured.source}"
    servers = phase.api_servers.max if phase.api_servers else plan.scaling.bounds.max
    assumed = f"assumed: the {servers} tasks of {phase.name} are {FILLED * 100:.0f} % busy with its load"
    return phase.requests / servers / FILLED, assumed
