"""Replays a trace through a policy: how many tasks there would have been, and whether they would have been enough.

The model of a service: demand is spread evenly over the tasks that run; CPU is demand over tasks, at most 100 %; a
task answers `start_delay_s` after it was asked for, and ends at once; metrics arrive one period late at the most, as
they are means over a period. Memory grows with the connections that a task holds, unless the trace has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dbz.config.grammar.watched import Watched
from dbz.scaling.decide.rules import Action, ConditionStanding, Decision, Policy, RuleEngine, Sample
from dbz.scaling.simulate.traces import Trace

SIMULATED = (Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS)
"""What a simulated service tells."""
FLAP_S = 1800.0
"""A step is a flap when it takes back one of the last half hour."""
_MEMORY_BASE, _MEMORY_OF_CONNECTIONS = 0.25, 0.45


class Controller(Protocol):
    """What decides in a simulation."""

    period_s: float

    def decide(self, sample: Sample, desired: int) -> Decision:
        """The wanted number of tasks after a sample; it is carried out at once."""


class ByRules:
    """The rules of the YAML, through the engine of `dbz scale auto`."""

    def __init__(self, policy: Policy) -> None:
        self.period_s = policy.period_s
        self._engine = RuleEngine(policy)

    def decide(self, sample: Sample, desired: int) -> Decision:
        """One step of the engine."""
        self._engine.observe(sample)
        decision = self._engine.decide(sample.at_s, desired)
        self._engine.acted(decision.action, sample.at_s)
        return decision


class ByAlarms:
    """The rules of the YAML as CloudWatch alarms and step policies carry them out.

    Each policy rests by its own last step only, and nothing asks whether the load would come back on fewer tasks. The
    one alarm for scaling in must hold in every period of the longest duration. A breach that becomes larger while its
    policy rests adds the difference at once.
    """

    def __init__(self, policy: Policy) -> None:
        self.period_s = policy.period_s
        self._policy = policy
        self._engine = RuleEngine(policy)
        size = max((each.samples(policy.period_s)[1] for each in policy.in_all), default=1)
        self._all_hold: deque[bool] = deque(maxlen=size)
        self._last_in_s = float("-inf")
        self._last_out: dict[str, tuple[float, int]] = {}
        """When each policy scaled out last, and by how much."""

    def decide(self, sample: Sample, desired: int) -> Decision:
        """What the alarms set off after a sample."""
        policy = self._policy
        self._engine.observe(sample)
        standings = self._engine.standings()
        inwards = [one for one in standings if one.direction is Action.IN]
        self._all_hold.append(bool(inwards) and all(_holds_now(one, sample) for one in inwards))
        alarms = [one for one in standings if one.direction is Action.OUT and one.met]
        if alarms:
            return self._out(alarms, sample.at_s, desired)
        quiet = len(self._all_hold) == self._all_hold.maxlen and all(self._all_hold)
        fewer = max(desired - policy.step, policy.lowest)
        if not quiet or fewer == desired or sample.at_s - self._last_in_s < policy.cooldown_in_s:
            return Decision(Action.HOLD, desired, "no alarm")
        self._last_in_s = sample.at_s
        return Decision(Action.IN, fewer, "every condition for scaling in is met")

    def _out(self, alarms: Sequence[ConditionStanding], now_s: float, desired: int) -> Decision:
        """The most that a policy adds; those without a size of their own share one, and with it the rest."""
        best, why = 0, str(alarms[0].condition)
        added: dict[str, int] = {}
        for one in alarms:
            name = str(one.condition) if one.condition.sized else ""
            last_s, before = self._last_out.get(name, (float("-inf"), 0))
            resting = now_s - last_s < self._policy.cooldown_out_s
            more = one.condition.tasks_at(one.value, self._policy.step)
            extra = more - before if resting else more
            if extra > 0:
                added[name] = max(added.get(name, 0), more)
            if extra > best:
                best, why = extra, str(one.condition)
        wanted = min(desired + best, self._policy.highest)
        if wanted <= desired:
            return Decision(Action.HOLD, desired, f"{why}, at the maximum or resting")
        self._last_out |= {name: (now_s, tasks) for name, tasks in added.items()}
        return Decision(Action.OUT, wanted, why)


def _holds_now(standing: ConditionStanding, sample: Sample) -> bool:
    """Whether a condition holds in the period of a sample; without a datapoint of that period it does not."""
    value = standing.value if standing.at_s == sample.at_s else None
    return bool(standing.condition.holds(value))


class Fixed:
    """A number of tasks that never changes."""

    def __init__(self, tasks: int, period_s: float) -> None:
        self.period_s = period_s
        self._tasks = tasks

    def decide(self, sample: Sample, desired: int) -> Decision:  # noqa: ARG002 whatever is measured
        """Always the same."""
        return Decision(Action.HOLD, self._tasks, "fixed")


@dataclass(frozen=True)
class Price:
    """What a task costs."""

    an_hour: float
    currency: str


@dataclass(frozen=True)
class CountChange:
    """One step: when (seconds from the start), from how many to how many tasks, why, and whether it was a flap."""

    at_s: int
    before: int
    after: int
    reason: str
    flap: bool


@dataclass
class Simulation:
    """What came of it."""

    policy: str
    trace: str
    seconds: int
    under_s: int = 0
    """Seconds with more demand than running tasks; at least so many where the trace is censored."""
    lost: float = 0.0
    """The demand that found no capacity, as a share of all; at least so much where the trace is censored."""
    task_hours: float = 0.0
    highest: int = 0
    """Most tasks that were asked for."""
    demand: Sequence[float | None] = ()
    """Once a second, in tasks."""
    running: list[int] = field(default_factory=list)
    """Once a second."""
    desired: list[int] = field(default_factory=list)
    """Once a second."""
    changes: list[CountChange] = field(default_factory=list)
    censored_s: int = 0
    """Seconds of the trace in which nobody knows how much was asked: see `Trace.censored`."""
    waited_s: int = 0
    """Seconds in which tasks that were asked for had no place: see `TaskRoom`."""

    @property
    def flaps(self) -> int:
        """How many steps took back one of the last half hour."""
        return sum(change.flap for change in self.changes)


@dataclass
class TaskRoom:
    """Places for tasks that several services share; who is played first gets a free one first."""

    free: int


@dataclass(frozen=True)
class Player:
    """A service that takes part in a simulation of several."""

    name: str
    controller: Controller
    trace: Trace
    tasks: int
    """At the start."""


def simulate(
    name: str, controller: Controller, trace: Trace, tasks: int, *, per_task: int, start_delay_s: int = 60
) -> Simulation:
    """Replay `trace` from `tasks` tasks on; `per_task` connections are what one task holds."""
    player = Player(name, controller, trace, tasks)
    (result,) = simulate_together([player], per_task=per_task, start_delay_s=start_delay_s)
    return result


def simulate_together(
    players: Sequence[Player], *, per_task: int, start_delay_s: int = 60, room: TaskRoom | None = None
) -> list[Simulation]:
    """Replay the traces of several services second by second, those who come first in `players` first.

    Without `room` none knows of the others. With it a task begins to start only when there is a place for it, and
    gives its place back when it ends; nobody loses a task because another one wants it.
    """
    results = [
        Simulation(one.name, one.trace.name, len(one.trace), demand=one.trace.demand, censored_s=one.trace.censored_s)
        for one in players
    ]
    going = [
        _play(result, one, _Fleet(one.tasks, start_delay_s, room), _Means(one.trace, per_task))
        for result, one in zip(results, players, strict=True)
    ]
    while going:
        going = [one for one in going if next(one, False)]
    return results


def _play(result: Simulation, player: Player, fleet: _Fleet, means: _Means) -> Iterator[bool]:
    """A second of a service at each step; its result is whole at the end."""
    controller = player.controller
    period, lost, whole, task_s = max(1, round(controller.period_s)), 0.0, 0.0, 0
    append_running, append_desired = result.running.append, result.desired.append
    for second, demand in enumerate(player.trace.demand):
        running = fleet.at(second)
        append_running(running)
        if demand is not None:
            whole += demand
            if demand > running:
                result.under_s += 1
                lost += demand - running
        means.add(second, running)
        if (second + 1) % period == 0:
            decision = controller.decide(means.take(second + 1, running), fleet.desired)
            if decision.desired != fleet.desired:
                result.changes.append(_change(result.changes, second + 1, fleet.desired, decision))
                fleet.ask(decision.desired, second + 1)
        append_desired(fleet.desired)
        task_s += fleet.desired - fleet.waiting  # a task costs from the moment it begins to start
        result.waited_s += fleet.waiting > 0
        yield True
    result.task_hours = task_s / 3600
    result.highest = max(result.desired, default=player.tasks)
    result.lost = lost / whole if whole else 0.0


def _change(earlier: Sequence[CountChange], at_s: int, before: int, decision: Decision) -> CountChange:
    up = decision.desired > before
    flap = any(at_s - one.at_s <= FLAP_S and (one.after > one.before) != up for one in _newest_first(earlier, at_s))
    return CountChange(at_s, before, decision.desired, decision.reason, flap)


def _newest_first(changes: Sequence[CountChange], at_s: int) -> Iterator[CountChange]:
    for one in reversed(changes):
        if at_s - one.at_s > FLAP_S:
            return
        yield one


class _Fleet:
    """Tasks that take a while to start, and with a room a while until there is a place for them."""

    def __init__(self, tasks: int, start_delay_s: int, room: TaskRoom | None) -> None:
        self.desired = tasks
        self.waiting = 0
        """Those that were asked for and have no place yet."""
        self._running = tasks
        self._delay_s = start_delay_s
        self._room = room
        self._starting: deque[int] = deque()

    def at(self, second: int) -> int:
        while self._starting and self._starting[0] <= second:
            self._starting.popleft()
            self._running += 1
        if self.waiting:
            self._place(second)
        return self._running

    def ask(self, desired: int, second: int) -> None:
        self.waiting += max(desired - self.desired, 0)
        for _ in range(self.desired - desired):
            self._give_back()
        self.desired = desired
        self._place(second)

    def _place(self, second: int) -> None:
        while self.waiting and (self._room is None or self._room.free > 0):
            self.waiting -= 1
            self._starting.append(second + self._delay_s)
            if self._room is not None:
                self._room.free -= 1

    def _give_back(self) -> None:
        if self.waiting:
            self.waiting -= 1
            return
        if self._starting:
            self._starting.pop()
        else:
            self._running -= 1
        if self._room is not None:
            self._room.free += 1


class _Means:
    """Means over the seconds of a period in which there was something to see."""

    def __init__(self, trace: Trace, per_task: int) -> None:
        self._trace, self._per_task = trace, per_task
        self._reset()

    def _reset(self) -> None:
        self._cpu = self._demand = self._sockets = self._memory = 0.0
        self._cpus = self._counted = self._memories = 0

    def add(self, second: int, running: int) -> None:
        trace = self._trace
        demand, sockets = trace.demand[second], trace.connections[second]
        if demand is not None:
            self._cpu += min(1.0, demand / running) if running else 1.0
            self._demand += demand
            self._cpus += 1
        if sockets is not None:
            self._sockets += sockets
            self._counted += 1
        memory = trace.memory[second] if trace.memory is not None else self._guess(sockets, running)
        if memory is not None:
            self._memory += memory
            self._memories += 1

    def _guess(self, sockets: float | None, running: int) -> float | None:
        if sockets is None or not running:
            return None
        return min(1.0, _MEMORY_BASE + _MEMORY_OF_CONNECTIONS * sockets / (running * self._per_task))

    def take(self, at_s: int, running: int) -> Sample:
        """The sample of the period that ends now."""
        rate = self._trace.per_task_per_s
        values = {
            Watched.CPU: self._cpu / self._cpus if self._cpus else None,
            Watched.MEMORY: self._memory / self._memories if self._memories else None,
            Watched.CONNECTIONS: self._sockets / self._counted if self._counted else None,
            Watched.REQUESTS: self._demand / self._cpus * rate if self._cpus and rate else None,
        }
        self._reset()
        return Sample(float(at_s), running, values)
