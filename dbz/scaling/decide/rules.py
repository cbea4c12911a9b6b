"""The rule engine: samples in, the wanted number of tasks out. Pure: no clock, no input, no output.

The same engine decides in `dbz scale auto` and in `dbz scale simulate`.

* Out by one step when any condition is met: M of its newest N samples hold. Missing samples never count as holding.
  How far a step goes may depend on how large the breach is; of several conditions the one that goes furthest decides.
* In by one step when all conditions are met and no sample of their windows is missing. One missing value holds.
* Not in when the same load on fewer tasks would meet an out condition: that step would be taken back at once.
* Not before there is a sample from after the last step: what led to it would only be counted again.
* Not while a deployment is going on, not within the cooldowns, never beyond the bounds. Fewer tasks than the minimum
  are corrected at once; more than the maximum were somebody's decision, and only the conditions take them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.grammar.windows import ConditionFollower


@dataclass(frozen=True)
class Sample:
    """What was measured over one period, by metric, in the units of `Condition.limit`; None where nothing was.

    CPU and memory are means over the tasks, connections and requests are those of all of them.
    """

    at_s: float
    """The end of the period."""
    tasks: int
    """How many tasks ran."""
    values: Mapping[Watched, float | None]
    """What was measured, by metric."""


@dataclass(frozen=True)
class Policy:
    """Conditions with how far, how often and between which bounds they scale."""

    out_any: Sequence[Condition]
    """Any of these scales out."""
    in_all: Sequence[Condition]
    """All of these together scale in."""
    lowest: int
    """Fewest tasks."""
    highest: int
    """Most tasks."""
    step: int = 1
    """Tasks at once."""
    period_s: float = 60.0
    """Seconds between two looks, and of one sample."""
    cooldown_out_s: float = 180.0
    """Seconds between two steps out."""
    cooldown_in_s: float = 900.0
    """Seconds before a step in, counted from the last step of either kind."""
    connections_per_task: int = 250
    """100 % of a task's capacity."""
    data_age_s: float = 300.0
    """A newest datapoint that is older than so many seconds decides nothing: see `RuleEngine.replay`."""


class Action(StrEnum):
    """What a decision comes to."""

    OUT = "out"
    IN = "in"
    HOLD = "hold"


@dataclass(frozen=True)
class Decision:
    """What to do, and why."""

    action: Action
    desired: int
    """The wanted number of tasks."""
    reason: str
    """A sentence."""
    no_data: tuple[Watched, ...] = ()
    """The metrics of which nothing recent enough is known, although a condition needs them."""


@dataclass(frozen=True)
class ConditionStanding:
    """How a condition stands after the newest sample."""

    direction: Action
    condition: Condition
    holding: int
    """How many samples of the window hold."""
    needed: int
    """How many must."""
    window: int
    """How many count."""
    missing: int
    """How many of the window are missing."""
    value: float | None
    """The newest measured value, in the unit of the condition's limit; None: nothing recent enough."""
    met: bool
    at_s: float | None = None
    """When the period of that value ended; None: as of the newest sample."""


class _Watch(ConditionFollower):
    """One condition with its window, the newest known value and when that was measured."""

    def __init__(self, condition: Condition, period_s: float) -> None:
        super().__init__(condition, period_s)
        self.newest: Sample | None = None
        self.stale = False

    def take_in(self, sample: Sample, value: float | None) -> None:
        """A sample, and what it says of the condition."""
        if value is not None:
            self.newest, self.stale = sample, False
        self.add(value)


class RuleEngine:
    """Follows the samples of one service and decides after each of them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.last_out_s = float("-inf")
        self.last_in_s = float("-inf")
        self._forget()

    def _forget(self) -> None:
        self._out = [_Watch(each, self.policy.period_s) for each in self.policy.out_any]
        self._in = [_Watch(each, self.policy.period_s) for each in self.policy.in_all]
        self._newest: Sample | None = None

    def observe(self, sample: Sample) -> bool:
        """Take in a sample. False when it is not newer than the last one: a clock that stood still or went back adds
        nothing. Periods that were left out count as missing."""
        if self._newest is not None:
            elapsed_s = sample.at_s - self._newest.at_s
            if elapsed_s <= 0:
                return False
            for watch in (*self._out, *self._in):
                watch.leave_out(round(elapsed_s / self.policy.period_s) - 1)
        self._newest = sample
        for watch in (*self._out, *self._in):
            watch.take_in(sample, self._value(watch.condition, sample, sample.tasks))
        return True

    def replay(self, samples: Sequence[Sample], now_s: float) -> None:
        """Begin anew with these samples, oldest first; the cooldowns go on.

        Where datapoints come late, the newest periods are empty for a while, and empty of one metric when another has
        come. Counted as missing they would keep every condition from being met for ever. So each condition looks at a
        window that ends with the newest datapoint of *its* metric, as long as that is no older than `data_age_s`.
        """
        self._forget()
        period_s = self.policy.period_s
        self._newest = samples[-1] if samples else None
        for watch in (*self._out, *self._in):
            before: Sample | None = None
            late: list[float | None] = []
            for sample in samples:
                value = self._value(watch.condition, sample, sample.tasks)
                late += [None] * (round((sample.at_s - before.at_s) / period_s) - 1 if before else 0)
                late.append(value)
                before = sample
                if value is None:
                    continue
                for each in late:
                    watch.take_in(sample, each)
                late.clear()
            watch.stale = watch.newest is None or watch.newest.at_s < now_s - self.policy.data_age_s
            if watch.stale:
                watch.leave_out(watch.window.size)

    def _value(self, condition: Condition, sample: Sample, tasks: int) -> float | None:
        value = sample.values.get(condition.metric)
        if value is None or tasks <= 0:
            return None
        if condition.of_capacity:
            return value / (tasks * self.policy.connections_per_task)
        return value * sample.tasks / tasks if condition.metric is Watched.CPU else value

    @property
    def no_data(self) -> tuple[Watched, ...]:
        """The metrics of which nothing recent enough is known, although a condition needs them; as of `replay`."""
        return tuple(dict.fromkeys(watch.condition.metric for watch in (*self._out, *self._in) if watch.stale))

    def newest_s(self, metric: Watched) -> float | None:
        """When the newest known datapoint of a metric was measured; None: there is none."""
        known = [watch.newest.at_s for watch in (*self._out, *self._in)
                 if watch.newest and watch.condition.metric is metric]  # fmt: skip
        return max(known, default=None)

    def decide(self, now_s: float, desired: int, *, deploying: bool = False) -> Decision:
        """What to do at `now_s` when `desired` tasks are asked for; `acted` must follow once it has been done."""
        policy = self.policy
        if desired < policy.lowest:
            return Decision(Action.OUT, policy.lowest, f"{policy.lowest} is the minimum")
        if self._newest is None:
            return Decision(Action.HOLD, desired, "no sample yet")
        met = max((watch for watch in self._out if watch.window.met), key=self._tasks_of, default=None)
        decided = (
            self._decide_in(now_s, desired, deploying)
            if met is None
            else self._decide_out(now_s, desired, met, deploying)
        )
        return replace(decided, no_data=self.no_data)

    def _decide_out(self, now_s: float, desired: int, watch: _Watch, deploying: bool) -> Decision:
        policy, met = self.policy, watch.condition
        if desired >= policy.highest:
            return Decision(Action.HOLD, desired, f"{met}, but {policy.highest} is the maximum")
        if deploying:
            return Decision(Action.HOLD, desired, f"{met}, but a deployment is going on")
        if now_s - self.last_out_s < policy.cooldown_out_s:
            return Decision(Action.HOLD, desired, f"{met}, but the last step out was less than the cooldown ago")
        if self._is_from_before(self.last_out_s, [watch]):
            return Decision(Action.HOLD, desired, f"{met}, but nothing newer than the last step is known yet")
        return Decision(Action.OUT, min(desired + self._tasks_of(watch), policy.highest), str(met))

    def _tasks_of(self, watch: _Watch) -> int:
        """How many tasks a condition adds, by its newest known value."""
        newest = watch.newest
        value = self._value(watch.condition, newest, newest.tasks) if newest else None
        return watch.condition.tasks_at(value, self.policy.step)

    def _is_from_before(self, step_s: float, watches: Sequence[_Watch]) -> bool:
        """Whether any of these knows nothing of the time after a step: what it says led to that step already."""
        return any(watch.newest is not None and watch.newest.at_s <= step_s for watch in watches)

    def acted(self, action: Action, at_s: float) -> None:
        """A step was taken at `at_s`: the cooldowns begin."""
        if action is Action.OUT:
            self.last_out_s = max(self.last_out_s, at_s)
        elif action is Action.IN:
            self.last_in_s = max(self.last_in_s, at_s)

    def _decide_in(self, now_s: float, desired: int, deploying: bool) -> Decision:
        policy = self.policy
        if not self._in or not all(watch.window.met_and_complete for watch in self._in):
            return Decision(Action.HOLD, desired, self._why_not())
        why = "every condition for scaling in is met"
        fewer = max(desired - policy.step, policy.lowest)
        if fewer == desired:
            return Decision(Action.HOLD, desired, f"{why}, but {policy.lowest} is the minimum")
        if deploying:
            return Decision(Action.HOLD, desired, f"{why}, but a deployment is going on")
        if now_s - max(self.last_out_s, self.last_in_s) < policy.cooldown_in_s:
            return Decision(Action.HOLD, desired, f"{why}, but the last step was less than the cooldown ago")
        if self._is_from_before(max(self.last_out_s, self.last_in_s), self._in):
            return Decision(Action.HOLD, desired, f"{why}, but nothing newer than the last step is known yet")
        back = self._would_come_back(fewer)
        if back is not None:
            return Decision(Action.HOLD, desired, f"{why}, but with {fewer} tasks '{back}' would be met")
        return Decision(Action.IN, fewer, why)

    def _why_not(self) -> str:
        """Why no condition is met: is it so, or is it not known?"""
        return f"no data: {', '.join(self.no_data)}" if self.no_data else "no condition is met"

    def _would_come_back(self, tasks: int) -> Condition | None:
        """An out condition that the newest known load would meet on so few tasks."""
        for watch in self._out:
            condition = watch.condition
            value = self._value(condition, watch.newest, tasks) if watch.newest else None
            changes = condition.metric is Watched.CPU or condition.of_capacity
            if changes and condition.holds(value):
                return condition
        return None

    def standings(self) -> list[ConditionStanding]:
        """How every condition stands."""
        rows = []
        for direction, watches in ((Action.OUT, self._out), (Action.IN, self._in)):
            for watch in watches:
                window, newest = watch.window, None if watch.stale else watch.newest
                value = self._value(watch.condition, newest, newest.tasks) if newest else None
                met = window.met if direction is Action.OUT else window.met_and_complete
                counts = (window.holding, window.needed, window.size, window.missing)
                at_s = newest.at_s if newest else None
                rows.append(ConditionStanding(direction, watch.condition, *counts, value, met, at_s))
        return rows
