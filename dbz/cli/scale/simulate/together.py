"""`dbz scale simulate` of services apart: each with its own load, its own rules and its own tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dbz.cli.options import parsed
from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.config.phases.plan import ApiServers, OtherService, Phase, Phases
    from dbz.scaling.simulate.recorded_services import RateOf
    from dbz.scaling.simulate.traces import Trace
    from dbz.scaling.size.sizing import MeasuredTask

_RANKS = ("high", "medium", "low")


@dataclass(frozen=True)
class SimulatedService:
    """A service that takes part."""

    name: str
    """As the plan calls it."""
    trace: Trace
    servers: ApiServers
    """The least and the most tasks that it may have."""


def is_of_services(traces: Sequence[str], reports: Path) -> bool:
    """Whether recordings are of several services: a file each, columns of one file, or a run that tells of them."""
    from dbz.scaling.simulate.recorded_services import split_by_service

    named = [_named(text) for text in traces]
    if any(service for service, _ in named):
        return True
    if len(named) != 1:
        return False
    path = named[0][1]
    return bool(_of_run(path, reports)) if not path.is_file() else split_by_service(path) is not None


def recorded(traces: Sequence[str], rate_of: RateOf, recorded_tasks: int | None, reports: Path) -> dict[str, Trace]:
    """The recordings by service, of one length."""
    from dbz.scaling.simulate.recorded_services import of_one_length, read_named, read_split, split_by_service

    files: dict[str, list[Path]] = {}
    for text in traces:
        service, path = _named(text)
        files.setdefault(service, []).append(path)
    if "" not in files:
        return of_one_length(read_named(files, rate_of, recorded_tasks))
    (path, *more) = files[""]
    if more or len(files) > 1:
        raise UsageError(f"--trace: {path} says no service", hint="--trace chat=FILE --trace game=FILE", code="E002")
    texts = (split_by_service(path) if path.is_file() else _of_run(path, reports)) or {}
    return of_one_length(read_split(path, texts, rate_of))


def shaped(shape: str, plan: Phases, peak: Phase, measured: MeasuredTask, seed: int) -> dict[str, Trace]:
    """A made-up load of all services, each with its share of it by the measured load."""
    from dbz.scaling.simulate.traces import make_shape
    from dbz.scaling.size.apart import busy_tasks

    requests_per_s = measured.requests_per_s
    if not requests_per_s:
        raise UsageError(f"{measured.source} measured no requests", hint="say it with --per-task 50/s", code="S028")
    return {
        service: make_shape(shape, plan.phases, peak, requests_per_s / max(busy, _IDLE), seed)
        for service, busy in busy_tasks(measured.services).items()
    }


_IDLE = 0.001
"""Of a task: what a service that used no CPU at all counts as."""


def rates_by(plan: Phases, measured: MeasuredTask | None, given: Mapping[str, float]) -> RateOf:
    """How many requests a task of each service carries: as it is given, else as it was measured."""
    from dbz.scaling.size.apart import busy_tasks, name_in_plan

    known: dict[str, float] = {}
    for service, busy in busy_tasks(measured.services).items() if measured else ():
        rate = next(one.requests_per_s for one in measured.services if one.name == service) if measured else None
        if rate and busy:
            known[service] = known[name_in_plan(plan, service)] = rate / busy
    return lambda service: given.get(service) or given.get("") or known.get(service)


def rates_given(text: str) -> dict[str, float]:
    """`50/s`, or `chat=50/s,game=20/s`: by service, the former under an empty name."""
    from dbz.units import parse_rate

    rates: dict[str, float] = {}
    for part in text.split(",") if text else ():
        service, _, rate = (piece.strip() for piece in part.rpartition("="))
        rates[service] = parsed("--per-task", rate, parse_rate)
        if rates[service] <= 0:
            raise UsageError("--per-task: must be more than 0", code="E002")
    return rates


def taking_part(plan: Phases, phase: Phase, traces: Mapping[str, Trace]) -> list[SimulatedService]:
    """The services in the order in which they get places: by priority, then as the recordings have them."""
    from dbz.scaling.size.apart import name_in_plan, planned_services

    planned = planned_services(plan, plan.whole_phase(phase.name))
    found = [
        SimulatedService(name, trace, planned.get(name, plan.scaling.bounds))
        for service, trace in traces.items()
        for name in [name_in_plan(plan, service)]
    ]
    return sorted(found, key=lambda one: _RANKS.index(plan.scaling.priority(one.name)))


def plan_for(plan: Phases, service: SimulatedService) -> Phases:
    """The plan as it is for a service: its own sentences, or those of the plan that are about any."""
    from dbz.config.phases.plan import OtherService
    from dbz.scaling.change.others import plan_of_service

    if service.name == plan.scaling.main:
        return plan
    servers = service.servers
    own: OtherService = servers if isinstance(servers, OtherService) else OtherService(min=servers.min, max=servers.max)
    return plan_of_service(plan, service.name, own)


def room_for(total: int | None, tasks: Sequence[int]) -> int | None:
    """How many places are free at the start; None without a limit."""
    if total is None:
        return None
    if total < sum(tasks):
        raise UsageError(f"--room {total} is less than the {sum(tasks)} tasks at the start", code="E002")
    return total - sum(tasks)


def _named(text: str) -> tuple[str, Path]:
    """`chat=FILE` as service and file; a file whose own name has an equals sign is one."""
    service, equals, path = text.partition("=")
    return (service, Path(path)) if equals and service and path and not Path(text).exists() else ("", Path(text))


def _of_run(path: Path, reports: Path) -> dict[str, str]:
    """The recordings in a run's record; empty when there is no such run, or it tells of no services."""
    from dbz.runs.storage.folder import find_run
    from dbz.runs.storage.reading import read_record
    from dbz.scaling.simulate.recorded_services import recorded_by_run

    try:
        return recorded_by_run(read_record(find_run(reports, str(path))).server)
    except UsageError:
        return {}
