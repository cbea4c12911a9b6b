"""The rule engine: samples in, the wanted number of tasks out. Pure: no clock, no input, no output.

The same engine decides in `dbz scale auto` and in `dbz scale simulate`.

* Out by one step when any condition is met: M of its newest N samples hold. Missing samples never count as holding.
* In by one step when all conditions are met and no sample of their windows is missing. One missing value holds.
* Not in when the same load on fewer tasks would meet an out condition: that step would be taken back at once.
* Not while a deployment is going on, not within the cooldowns, never beyond the bounds. Fewer tasks than the minimum
  are corrected at once; more than the maximum were somebody's decision, and only the conditions take them back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbz.config.grammar.conditions import Condition, Watched


@dataclass(frozen=True)
class Sample:
    """What was measured over one period, by metric, in the units of `Condition.limit`; None where nothing was.

    `at_s` is the end of the period, `tasks` how many tasks ran. CPU and memory are means over the tasks, connections
    and requests are those of all of them.
    """

    at_s: float
    tasks: int
    values: Mapping[Watched, float | None]


@dataclass(frozen=True)
class Policy:
    """Conditions with how far, how often and between which bounds they scale; times are seconds."""

    out_any: Sequence[Condition]
    in_all: Sequence[Condition]
    lowest: int
    highest: int
    step: int = 1
    period_s: float = 60.0
    cooldown_out_s: float = 180.0
    cooldown_in_s: float = 900.0
    connections_per_task: int = 250


class Action(StrEnum):
    """What a decision comes to."""

    OUT = "out"
    IN = "in"
    HOLD = "hold"


@dataclass(frozen=True)
class Decision:
    """The wanted number of tasks, and why in a sentence."""

    action: Action
    desired: int
    reason: str


@dataclass(frozen=True)
class ConditionStanding:
    """How a condition stands: how many samples hold of how many that count, how many are missing."""

    direction: Action
    condition: Condition
    holding: int
    needed: int
    window: int
    missing: int
    value: float | None
    met: bool


class ConditionWindow:
    """Remembers for the newest `size` samples whether a condition held, did not hold (False), or was unknown (None).

    Adding a sample and asking take constant time.
    """

    def __init__(self, needed: int, size: int) -> None:
        self.needed, self.size = needed, size
        self._samples: deque[bool | None] = deque(maxlen=size)
        self.holding = 0
        self.missing = 0

    def add(self, held: bool | None) -> None:
        """Take in the newest sample; the oldest one is forgotten."""
        if len(self._samples) == self.size:
            oldest = self._samples[0]
            self.holding -= oldest is True
            self.missing -= oldest is None
        self._samples.append(held)
        self.holding += held is True
        self.missing += held is None

    @property
    def length(self) -> int:
        """How many samples are remembered."""
        return len(self._samples)

    @property
    def met(self) -> bool:
        """Whether enough samples are known to hold, whatever the others were."""
        return self.holding >= self.needed

    @property
    def met_and_complete(self) -> bool:
        """Whether enough samples hold and none of the whole window is missing."""
        return self.holding >= self.needed and not self.missing and len(self._samples) == self.size


class RuleEngine:
    """Follows the samples of one service and decides after each of them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.last_out_s = float("-inf")
        self.last_in_s = float("-inf")
        self._out = [(each, ConditionWindow(*each.samples(policy.period_s))) for each in policy.out_any]
        self._in = [(each, ConditionWindow(*each.samples(policy.period_s))) for each in policy.in_all]
        self._newest: Sample | None = None

    def observe(self, sample: Sample) -> bool:
        """Take in a sample. False when it is not newer than the last one: a clock that stood still or went back adds
        nothing. Periods that were left out count as missing."""
        if self._newest is not None:
            elapsed_s = sample.at_s - self._newest.at_s
            if elapsed_s <= 0:
                return False
            self._leave_out(round(elapsed_s / self.policy.period_s) - 1)
        self._newest = sample
        for condition, window in (*self._out, *self._in):
            value = self._value(condition, sample, sample.tasks)
            window.add(None if value is None else condition.compare(value, condition.limit))
        return True

    def _leave_out(self, periods: int) -> None:
        for _, window in (*self._out, *self._in):
            for _ in range(min(periods, window.size)):
                window.add(None)

    def _value(self, condition: Condition, sample: Sample, tasks: int) -> float | None:
        value = sample.values.get(condition.metric)
        if value is None or tasks <= 0:
            return None
        if condition.of_capacity:
            return value / (tasks * self.policy.connections_per_task)
        return value * sample.tasks / tasks if condition.metric is Watched.CPU else value

    def decide(self, now_s: float, desired: int, *, deploying: bool = False) -> Decision:
        """What to do at `now_s` when `desired` tasks are asked for; `acted` must follow once it has been done."""
        policy = self.policy
        if desired < policy.lowest:
            return Decision(Action.OUT, policy.lowest, f"{policy.lowest} is the minimum")
        if self._newest is None:
            return Decision(Action.HOLD, desired, "no sample yet")
        met = next((each for each, window in self._out if window.met), None)
        if met is not None:
            return self._decide_out(now_s, desired, met, deploying)
        return self._decide_in(now_s, desired, deploying)

    def _decide_out(self, now_s: float, desired: int, met: Condition, deploying: bool) -> Decision:
        policy = self.policy
        if desired >= policy.highest:
            return Decision(Action.HOLD, desired, f"{met}, but {policy.highest} is the maximum")
        if deploying:
            return Decision(Action.HOLD, desired, f"{met}, but a deployment is going on")
        if now_s - self.last_out_s < policy.cooldown_out_s:
            return Decision(Action.HOLD, desired, f"{met}, but the last step out was less than the cooldown ago")
        return Decision(Action.OUT, min(desired + policy.step, policy.highest), str(met))

    def acted(self, action: Action, at_s: float) -> None:
        """A step was taken at `at_s`: the cooldowns begin."""
        if action is Action.OUT:
            self.last_out_s = max(self.last_out_s, at_s)
        elif action is Action.IN:
            self.last_in_s = max(self.last_in_s, at_s)

    def _decide_in(self, now_s: float, desired: int, deploying: bool) -> Decision:
        policy = self.policy
        if not self._in or not all(window.met_and_complete for _, window in self._in):
            return Decision(Action.HOLD, desired, "no condition is met")
        why = "every condition for scaling in is met"
        fewer = max(desired - policy.step, policy.lowest)
        if fewer == desired:
            return Decision(Action.HOLD, desired, f"{why}, but {policy.lowest} is the minimum")
        if deploying:
            return Decision(Action.HOLD, desired, f"{why}, but a deployment is going on")
        if now_s - max(self.last_out_s, self.last_in_s) < policy.cooldown_in_s:
            return Decision(Action.HOLD, desired, f"{why}, but the last step was less than the cooldown ago")
        back = self._would_come_back(fewer)
        if back is not None:
            return Decision(Action.HOLD, desired, f"{why}, but with {fewer} tasks '{back}' would be met")
        return Decision(Action.IN, fewer, why)

    def _would_come_back(self, tasks: int) -> Condition | None:
        """An out condition that the newest sample's load would meet on so few tasks."""
        assert self._newest is not None
        for condition, _ in self._out:
            value = self._value(condition, self._newest, tasks)
            changes = condition.metric is Watched.CPU or condition.of_capacity
            if changes and value is not None and condition.compare(value, condition.limit):
                return condition
        return None

    def standings(self) -> list[ConditionStanding]:
        """How every condition stands after the newest sample."""
        rows = []
        for direction, pairs in ((Action.OUT, self._out), (Action.IN, self._in)):
            for each, window in pairs:
                value = self._value(each, self._newest, self._newest.tasks) if self._newest else None
                met = window.met if direction is Action.OUT else window.met_and_complete
                counts = (window.holding, window.needed, window.size, window.missing)
                rows.append(ConditionStanding(direction, each, *counts, value, met))
        return rows
