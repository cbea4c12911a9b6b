"""How many tasks each phase needs, from a measured capacity. Pure.

One task carries what was measured divided by the number of server processes that were measured. A phase needs the
largest of what its users, its connections and its requests need, each with headroom. The measured capacity is a
bracket, the highest load that held and the lowest that did not: the truth lies between, and so does the need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbz.config.phases.plan import ApiServers, Phase

WASTEFUL = 2.0
"""A plan of more than so many times the tasks that are needed is called wasteful."""


@dataclass(frozen=True)
class MeasuredService:
    """What the processes of a service did while all budgets held."""

    name: str
    tasks: int
    """How many ran."""
    cores: float | None = None
    """What they used together; None where nobody told."""
    calls_per_s: float | None = None
    """Requests and events that came to them; None of a gateway, which nobody calls."""
    requests_per_s: float | None = None
    """Of these the HTTP requests of clients; None where nobody told."""


@dataclass(frozen=True)
class MeasuredTask:
    """What servers carried together, holding all budgets at once."""

    source: str
    """The id of the run or of the capacity search."""
    servers: int
    """How many server processes were measured."""
    users: int | None
    """None where the load had none of its own."""
    connections: float | None
    """None or 0 where the load had none."""
    requests_per_s: float | None
    """None or 0 where the load had none."""
    bracket: float | None
    """The lowest load that did not hold over this one; None when all that was tried held: then a task carries at least
    so much."""
    services: tuple[MeasuredService, ...] = ()
    """Those that were apart; empty where one process was all services."""

    @property
    def whole(self) -> dict[str, float]:
        """What was carried by all servers together, by what."""
        given = {"users": self.users, "connections": self.connections, "requests": self.requests_per_s}
        return {name: float(value) for name, value in given.items() if value}

    def per_task(self) -> dict[str, float]:
        """What one task carries, by what."""
        return {name: value / self.servers for name, value in self.whole.items()}


class SizeVerdict(StrEnum):
    """What a phase's planned number of tasks is, against the need."""

    ENOUGH = "enough"
    TOO_SMALL = "too small"
    WASTEFUL = "wasteful"
    UNKNOWN = "not decidable"
    NOT_PLANNED = "nothing planned"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class PhaseSize:
    """What a phase needs."""

    phase: str
    planned: ApiServers | None
    needs: dict[str, int]
    """Tasks by what was measured: users, connections, requests."""
    tasks: int
    """The most of these, by the load that held."""
    at_best: int | None
    """The same by the load that did not hold; None: there was none."""
    by: str
    """What needs most."""
    verdict: SizeVerdict
    advice: str
    not_measured: tuple[str, ...] = ()
    """What the phase must carry and the measured load had none of: how many tasks that needs is not known."""


def size_phases(
    phases: Sequence[Phase], measured: MeasuredTask, headroom: float, connections_per_server: int | None = None
) -> list[PhaseSize]:
    """The size of each phase; `headroom` 0.3 plans for 30 % more than the phase's targets.

    `connections_per_server` is what the plan assumes where connections were not measured.
    """
    return [_size(phase, measured, headroom, connections_per_server) for phase in phases]


def _size(phase: Phase, measured: MeasuredTask, headroom: float, assumed: int | None) -> PhaseSize:
    per_task = measured.per_task()
    wanted = {"users": phase.users, "connections": phase.connections, "requests": phase.requests}
    needs = {name: tasks_for(wanted[name] * (1 + headroom) / each) for name, each in per_task.items()}
    by = max(needs, key=lambda name: needs[name])
    tasks = needs[by]
    at_best = None
    if measured.bracket is not None:
        at_best = max(
            tasks_for(wanted[name] * (1 + headroom) / each / measured.bracket) for name, each in per_task.items()
        )
    verdict, advice = judge(phase.api_servers, tasks, at_best, f"its {by} need")
    blind = not_shown(phase, measured)
    unknown = tuple(name for name, load in wanted.items() if load and name not in per_task)
    if blind and verdict is not SizeVerdict.TOO_SMALL:
        verdict, advice = SizeVerdict.NOT_MEASURED, f"its {' and '.join(blind)} were not measured"
        if "connections" in blind and assumed:
            advice += f"; by connections_per_server ({assumed}) they need {tasks_for(phase.connections / assumed)}"
    return PhaseSize(phase.name, phase.api_servers, needs, tasks, at_best, by, verdict, advice, unknown)


def not_shown(phase: Phase, measured: MeasuredTask) -> list[str]:
    """What a phase must carry, and the measured load shows nothing of."""
    wanted = {"connections": phase.connections, "requests": phase.requests}
    # Users make connections and requests: measured with those they need no figure of their own, and users that were
    # measured stand for what the record does not have; but not for a load that it says was none.
    none_at_all = {"connections": measured.connections == 0, "requests": measured.requests_per_s == 0}
    return [
        name
        for name, load in wanted.items()
        if load and name not in measured.whole and (measured.users is None or none_at_all[name])
    ]


def times_carried(phase: Phase, measured: MeasuredTask, tasks: int) -> float | None:
    """How many times a phase's targets so many tasks carry, by what was measured; None: nothing of them was."""
    wanted = {"users": phase.users, "connections": phase.connections, "requests": phase.requests}
    ratios = [each * tasks / wanted[name] for name, each in measured.per_task().items() if wanted[name]]
    return min(ratios, default=None)


def not_known(phase: Phase, measured: MeasuredTask) -> str:
    """What of a phase's targets nobody knows whether its tasks carry it, in a sentence; empty: nothing."""
    blind = not_shown(phase, measured)
    what = f"the {' and '.join(blind)} of {phase.name}"
    return f"whether its tasks carry {what} is not known: {measured.source} measured none" if blind else ""


def shortfall(phase: Phase, measured: MeasuredTask) -> str:
    """What of a phase's targets its planned tasks do not carry by what was measured, in a sentence; empty: nothing."""
    if phase.api_servers is None:
        return ""
    tasks = phase.api_servers.max
    wanted = {"users": float(phase.users), "connections": float(phase.connections), "requests": phase.requests}
    unit = {"users": "users", "connections": "connections", "requests": "requests/s"}
    rows = [
        f"{each * tasks:,.4g} of {wanted[name]:,.4g} {unit[name]}"
        for name, each in measured.per_task().items()
        if each * tasks < wanted[name] * (1 - 1e-9)
    ]
    count = f"{tasks} task{'' if tasks == 1 else 's'}"
    return f"{count} of {phase.name} carry {', '.join(rows)}, by {measured.source}: not enough" if rows else ""


def tasks_for(load: float) -> int:
    """Whole tasks for a load that is told in tasks."""
    # A hair more than a whole number of tasks, as binary fractions make it, is that number.
    return max(1, math.ceil(load - 1e-9))


def judge(planned: ApiServers | None, tasks: int, at_best: int | None, needs: str) -> tuple[SizeVerdict, str]:
    """What a planned number is against the need, and what follows; `needs` are the words before the needed number."""
    if planned is None:
        return SizeVerdict.NOT_PLANNED, f"plan {tasks}"
    if at_best is not None and planned.max < at_best:
        return SizeVerdict.TOO_SMALL, f"{needs} {tasks}, {tasks - planned.max} more than planned"
    if planned.max < tasks:
        least = f"between {at_best} and" if at_best else "at most"
        return SizeVerdict.UNKNOWN, f"{needs} {least} {tasks}, planned are {planned.max}: measure more closely"
    if planned.min > WASTEFUL * tasks:
        spare = planned.min - tasks
        return (
            SizeVerdict.WASTEFUL,
            f"{tasks} would do, {spare} fewer than {'planned' if planned.fixed else 'its minimum'}",
        )
    return SizeVerdict.ENOUGH, ""
