"""Whether what is there now is still dbz's to take back, or somebody else has changed it since.

Taking a scalable target away takes all its policies and scheduled actions with it, whoever made them (Application Auto
Scaling, DeregisterScalableTarget). So a target that dbz made is left alone while others have something on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbz.scaling.change.comparing import same, shown
from dbz.scaling.change.executor import Executor
from dbz.scaling.change.names import EXPIRY
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind


@dataclass(frozen=True)
class StepBack:
    """A step of a way back, and how things stand with it."""

    step: ChangeStep
    """The inverse of what was done."""
    now: object
    """What its resource is now."""
    why_not: str
    """What speaks against taking it, after what the resource is; empty: it is still dbz's."""

    def __str__(self) -> str:
        return f"{self.step.kind.value} {self.step.resource} is {shown(self.now)}, {self.why_not}"


class WayBack:
    """Goes through the way back of one service, step by step in its order: what is left alone decides about others.

    With `force` every step will be taken.
    """

    def __init__(self, executor: Executor, plan: ChangePlan, *, force: bool) -> None:
        self._executor, self._plan, self._force = executor, plan, force
        self._going: set[str] = set()
        self._range_left: object = None

    def look(self, step: ChangeStep) -> StepBack:
        """How things stand with an inverse step."""
        current = self._executor.current(step)
        found = StepBack(step, current, self._why_not(step, current))
        if self._force or not found.why_not:
            if step.after is None:
                self._going.add(step.resource)
        elif step.kind is Kind.TARGET:
            self._range_left = current
        return found

    def _why_not(self, step: ChangeStep, current: object) -> str:
        if not _is_ours(self._plan, step, current):
            return "which somebody else has set"
        left = self._range_left
        if step.kind is Kind.DESIRED and isinstance(left, dict):
            inside = left["MinCapacity"] <= step.after <= left["MaxCapacity"]
            return "" if inside else f"and {step.after} is outside of the range {shown(left)}, which stays"
        if step.kind is Kind.TARGET and step.after is None and current is not None:
            others = sorted(self._executor.attached() - self._going)
            return f"and AWS would delete {', '.join(others)} with it" if others else ""
        return ""


def _is_ours(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether what is there is what the plan made, what it found, or where the autoscaler moved it meanwhile."""
    expected = same(current, step.before) or same(current, step.after)
    return expected or _within(plan, step, current) or _ended(plan, step, current)


def _within(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether a desired count is where the autoscaler may have moved it: in a range that the plan set or found."""
    ranges = [each for one in plan.steps if one.kind is Kind.TARGET for each in (one.before, one.after) if each]
    if step.kind is not Kind.DESIRED or not isinstance(current, int):
        return False
    return any(one["MinCapacity"] <= current <= one["MaxCapacity"] for one in ranges)


def _ended(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether a range is the one that the plan's own scheduled action has put back meanwhile."""
    back = next((one.after["ScalableTargetAction"] for one in plan.steps if one.resource == EXPIRY and one.after), None)
    return step.kind is Kind.TARGET and back is not None and same(current, back)
