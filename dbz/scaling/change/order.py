"""In which order the steps of a plan are taken, over all its services. Pure.

A plan is carried out in stages; what one has changed runs before the next begins. Services that grow come first, those
of a high scaling priority before those of a low one; services that shrink come last, low before high. So what matters
most gets its tasks first, and keeps them longest. A cache grows before everything and shrinks after everything.

A journal counts the steps in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbz.config.phases.plan import Priority
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind

_LEVELS: dict[Priority, int] = {"high": 0, "medium": 1, "low": 2}
_CACHE_GROWS, _GROW, _SHRINK, _CACHE_SHRINKS = range(4)

Rank = tuple[int, int]


@dataclass(frozen=True)
class PlannedStep:
    """A step with the plan of the service that it is about."""

    plan: ChangePlan
    step: ChangeStep
    stage: int
    """Steps of one stage are taken without waiting in between; counted from 0."""


def ordered(plan: ChangePlan) -> tuple[PlannedStep, ...]:
    """All steps of a plan and of those that are carried out with it."""
    ranked = sorted(
        ((_rank(one, step), one, step) for one in plan.everything() for step in one.steps), key=lambda row: row[0]
    )
    ranks = sorted({rank for rank, _, _ in ranked})
    return tuple(PlannedStep(one, step, ranks.index(rank)) for rank, one, step in ranked)


def way_back(steps: tuple[PlannedStep, ...], begun: tuple[int, ...]) -> list[int]:
    """The numbers of the steps to take back: the last stage first, and in it the last step; but the range of an
    autoscaler before the count that must lie in it."""
    return sorted(begun, key=lambda number: (-steps[number].stage, steps[number].step.kind is Kind.DESIRED, -number))


def shrinks(plan: ChangePlan) -> bool:
    """Whether a service gets fewer tasks, or a range that ends lower."""
    for step in plan.steps:
        if step.kind is Kind.DESIRED:
            return bool(step.after < step.before)
    ranges = [step for step in plan.steps if step.kind is Kind.TARGET and step.before and step.after]
    return any(step.after["MaxCapacity"] < step.before["MaxCapacity"] for step in ranges)


def _rank(plan: ChangePlan, step: ChangeStep) -> Rank:
    level = _LEVELS[plan.priority]
    if step.kind is Kind.REPLICAS:
        return (_CACHE_GROWS if step.after > step.before else _CACHE_SHRINKS), 0
    return (_SHRINK, -level) if shrinks(plan) else (_GROW, level)
