"""How many tasks each service of a phase needs, from a load of services apart that held all budgets. Pure.

The load of a phase is a multiple of the measured one: the largest of its users, connections and requests over those
that were measured, with headroom. Every service must carry that multiple of what it carried. How much of that a task
bears is told by the CPU: no task is to be busier than the busiest one was while all budgets held. A service whose CPU
nobody told needs as many times the processes that it had; fewer might do, so that is the most that it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbz.config.load.services import GATEWAY
from dbz.config.phases.plan import ApiServers, Phase, Phases, Priority
from dbz.scaling.size.sizing import MeasuredService, MeasuredTask, SizeVerdict, judge, not_shown, tasks_for


@dataclass(frozen=True)
class ServiceSize:
    """What a service needs in a phase."""

    phase: str
    service: str
    """As the plan calls it."""
    priority: Priority
    planned: ApiServers | None
    tasks: int | None
    """What it needs by the load that held; None: the load had nothing of it."""
    at_best: int | None
    """The same by the load that did not hold; None: there was none, or its CPU is not known."""
    verdict: SizeVerdict
    advice: str


def busiest(services: Sequence[MeasuredService]) -> tuple[str, float] | None:
    """The service whose tasks used most, and how many cores each of them; None where no CPU was told."""
    cores = [(one.name, one.cores / one.tasks) for one in services if one.cores]
    return max(cores, key=lambda pair: pair[1], default=None)


def busy_tasks(services: Sequence[MeasuredService]) -> dict[str, float]:
    """By service: as how many tasks as busy as the busiest one its work was; its number of tasks where no CPU was
    told. Services that had nothing to do are left out."""
    top = busiest(services)
    return {
        one.name: one.cores / top[1] if top and one.cores is not None else float(one.tasks)
        for one in services
        if was_loaded(one)
    }


def was_loaded(service: MeasuredService) -> bool:
    """Whether anybody called it; the gateway is in front of all calls."""
    return service.name == GATEWAY or bool(service.calls_per_s)


def size_services(plan: Phases, measured: MeasuredTask, headroom: float) -> list[ServiceSize]:
    """Each phase with the API servers, which are the gateways, and each service that it plans or that was measured."""
    return [size for phase in plan.phases for size in _of_phase(plan, plan.whole_phase(phase.name), measured, headroom)]


def load_factor(phase: Phase, measured: MeasuredTask) -> float:
    """How many times the measured load a phase must carry."""
    wanted: Mapping[str, float] = {
        "users": phase.users, "connections": phase.connections, "requests": phase.requests,
    }  # fmt: skip
    return max(wanted[name] / carried for name, carried in measured.whole.items())


def planned_services(plan: Phases, phase: Phase) -> dict[str, ApiServers]:
    """What a whole phase plans, by the plan's names of services."""
    main = {plan.scaling.main: phase.api_servers} if phase.api_servers else {}
    return {**main, **phase.services}


def name_in_plan(plan: Phases, service: str) -> str:
    """What the plan calls a service of the record: the gateways are the tasks of the API servers."""
    return plan.scaling.main if service == GATEWAY else service


def shortfall_apart(plan: Phases, phase: Phase, measured: MeasuredTask) -> str:
    """Which services of a whole phase have too few tasks for it without any headroom, in a sentence; empty: none."""
    planned = planned_services(plan, phase)
    factor = load_factor(phase, measured) if measured.whole else 0.0
    rows = [
        f"{name} needs {need} tasks and has {planned[name].max}"
        for service, busy in busy_tasks(measured.services).items()
        if (name := name_in_plan(plan, service)) in planned and planned[name].max < (need := tasks_for(busy * factor))
    ]
    return f"{phase.name}: {', '.join(rows)}, by {measured.source}: not enough" if rows else ""


def carried_apart(
    plan: Phases, phase: Phase, measured: MeasuredTask, running: Mapping[str, int]
) -> tuple[float, str] | None:
    """How many times a phase the running tasks carry, and the service that is the first not to carry more; None
    without one that was measured."""
    if not measured.whole:
        return None
    factor = load_factor(phase, measured)
    if not factor:
        return None
    ratios = [
        (running[name] / (busy * factor), name)
        for service, busy in busy_tasks(measured.services).items()
        if (name := name_in_plan(plan, service)) in running and busy
    ]
    return min(ratios, default=None)


def _of_phase(plan: Phases, phase: Phase, measured: MeasuredTask, headroom: float) -> list[ServiceSize]:
    planned = planned_services(plan, phase)
    busy = {name_in_plan(plan, name): tasks for name, tasks in busy_tasks(measured.services).items()}
    told = {name_in_plan(plan, one.name) for one in measured.services if one.cores is not None}
    factor, blind = load_factor(phase, measured) * (1 + headroom), not_shown(phase, measured)
    found = []
    for name in dict.fromkeys((*planned, *busy)):
        tasks = tasks_for(busy[name] * factor) if name in busy else None
        at_best = None
        if tasks is not None and measured.bracket is not None and name in told:
            at_best = tasks_for(busy[name] * factor / measured.bracket)
        verdict, advice = _judged(planned.get(name), tasks, at_best, blind)
        found.append(
            ServiceSize(
                phase.name, name, plan.scaling.priority(name), planned.get(name), tasks, at_best, verdict, advice
            )
        )
    return found


def _judged(
    planned: ApiServers | None, tasks: int | None, at_best: int | None, blind: Sequence[str]
) -> tuple[SizeVerdict, str]:
    if tasks is None:
        return SizeVerdict.NOT_MEASURED, "nothing of the measured load came to it"
    verdict, advice = judge(planned, tasks, at_best, "it needs")
    if blind and verdict is not SizeVerdict.TOO_SMALL:
        return SizeVerdict.NOT_MEASURED, f"the phase's {' and '.join(blind)} were not measured"
    return verdict, advice
