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

from dbz.config.phases import ApiServers, Phase

WASTEFUL = 2.0
"""A plan of more than so many times the tasks that are needed is called wasteful."""


@dataclass(frozen=True)
class MeasuredTask:
    """What so many `servers` carried together. `users`, `connections` and `requests_per_s` held all budgets at once;
    None where the load had none. `bracket` is the lowest load that did not hold over this one, None when all that was
    tried held: then a task carries at least so much."""

    source: str
    servers: int
    users: int | None
    connections: float | None
    requests_per_s: float | None
    bracket: float | None

    def per_task(self) -> dict[str, float]:
        """What one task carries, by what."""
        given = {"users": self.users, "connections": self.connections, "requests": self.requests_per_s}
        return {name: value / self.servers for name, value in given.items() if value}


class SizeVerdict(StrEnum):
    """What a phase's planned number of tasks is, against the need."""

    ENOUGH = "enough"
    TOO_SMALL = "too small"
    WASTEFUL = "wasteful"
    UNKNOWN = "not decidable"
    NOT_PLANNED = "nothing planned"


@dataclass(frozen=True)
class PhaseSize:
    """What a phase needs: `tasks` by the load that held, `at_best` by the one that did not; `by` is what needs them."""

    phase: str
    planned: ApiServers | None
    needs: dict[str, int]
    tasks: int
    at_best: int | None
    by: str
    verdict: SizeVerdict
    advice: str


def size_phases(phases: Sequence[Phase], measured: MeasuredTask, headroom: float) -> list[PhaseSize]:
    """The size of each phase; `headroom` 0.3 plans for 30 % more than the phase's targets."""
    return [_size(phase, measured, headroom) for phase in phases]


def _size(phase: Phase, measured: MeasuredTask, headroom: float) -> PhaseSize:
    per_task = measured.per_task()
    wanted = {"users": phase.users, "connections": phase.connections, "requests": phase.requests}
    needs = {name: _tasks(wanted[name] * (1 + headroom), each) for name, each in per_task.items()}
    by = max(needs, key=lambda name: needs[name])
    tasks = needs[by]
    at_best = None
    if measured.bracket is not None:
        at_best = max(_tasks(wanted[name] * (1 + headroom), each * measured.bracket) for name, each in per_task.items())
    verdict, advice = _judge(phase, tasks, at_best, by)
    return PhaseSize(phase.name, phase.api_servers, needs, tasks, at_best, by, verdict, advice)


def _tasks(load: float, per_task: float) -> int:
    # A hair more than a whole number of tasks, as binary fractions make it, is that number.
    return max(1, math.ceil(load / per_task - 1e-9))


def _judge(phase: Phase, tasks: int, at_best: int | None, by: str) -> tuple[SizeVerdict, str]:
    planned = phase.api_servers
    if planned is None:
        return SizeVerdict.NOT_PLANNED, f"plan {tasks}"
    if at_best is not None and planned.max < at_best:
        return SizeVerdict.TOO_SMALL, f"its {by} need {tasks}, {tasks - planned.max} more than planned"
    if planned.max < tasks:
        least = f"between {at_best} and" if at_best else "at most"
        return SizeVerdict.UNKNOWN, f"its {by} need {least} {tasks}, planned are {planned.max}: measure more closely"
    if planned.min > WASTEFUL * tasks:
        spare = planned.min - tasks
        return (
            SizeVerdict.WASTEFUL,
            f"{tasks} would do, {spare} fewer than {'planned' if planned.fixed else 'its minimum'}",
        )
    return SizeVerdict.ENOUGH, ""
