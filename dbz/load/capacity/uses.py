"""How much of its limit each budget used in a look, and how sure that is by its samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dbz.load.capacity.looks import Use
from dbz.load.capacity.plan import GOODPUT, GOODPUT_SHARE
from dbz.measure.budget.verdicts import Effect
from dbz.measure.budget.verdicts import Outcome as BudgetOutcome
from dbz.measure.confidence import CONFIDENCE, normal_quantile
from dbz.runs.capacity import BudgetUse
from dbz.runs.schema import BudgetResult

_ONE_SIDED = 1.5
"""An interval that is open at one end is so much wider there than at the other one."""
_FEW = 1.0
"""The standard error of a logarithm of which both ends are open: so few samples say hardly anything."""
_JUST_BROKEN = 1e-6


def share_used(budget: BudgetResult) -> float:
    """How much of its limit a budget used, more than 1 when it is broken; infinite where attempts failed."""
    if budget.value is None:
        return math.inf
    part, whole = (budget.value, budget.limit) if budget.op.startswith("<") else (budget.limit, budget.value)
    return (part or 0.0) / whole if whole else math.inf


def has_upper_limit(budget: BudgetResult) -> bool:
    """Whether something may not be more than a limit, and was measured."""
    return budget.op.startswith("<") and bool(budget.limit) and budget.verdict != BudgetOutcome.NOT_MEASURED


def uses_of(budgets: Sequence[BudgetResult], load: int) -> list[BudgetUse]:
    """What is known of each budget after a look at a load; one that only warns decides nothing."""
    known = (_use_of(one, load) for one in budgets if one.effect != Effect.WARN)
    return [one for one in known if one is not None]


def as_evidence(use: BudgetUse) -> Use:
    """The same for a search: a broken budget is beyond its limit, another one is not, whatever its rules allow."""
    log = math.log(use.used) if use.used else -math.inf if use.used == 0 else math.inf
    log = max(log, _JUST_BROKEN) if use.broken else min(log, 0.0)
    return Use(use.name, log, use.error, use.reached)


def _use_of(budget: BudgetResult, load: int) -> BudgetUse | None:
    reached = _is_about_the_asked_rate(budget, load)
    broken = bool(budget.reason)
    if not reached and not has_upper_limit(budget):
        return BudgetUse(name=budget.name, used=None, broken=True) if broken else None
    used = share_used(budget)
    if math.isinf(used) and not broken:
        return None
    return BudgetUse(
        name=budget.name,
        used=None if math.isinf(used) else round(used, 6),
        error=0.0 if reached or math.isinf(used) else round(_error(budget), 4),
        broken=broken,
        reached=reached,
    )


def _is_about_the_asked_rate(budget: BudgetResult, load: int) -> bool:
    limit = GOODPUT_SHARE * load
    return (
        budget.name == GOODPUT and budget.value is not None and math.isclose(budget.limit or 0.0, limit, rel_tol=1e-4)
    )


def _error(budget: BudgetResult) -> float:
    """The standard error of the logarithm of a value, from its interval; 0 where there is none."""
    if (budget.low is None and budget.high is None) or not budget.value:
        return 0.0
    ends = [end for end in (budget.low, budget.high) if end and not math.isinf(end)]
    apart = [abs(math.log(end / budget.value)) / normal_quantile(CONFIDENCE) for end in ends]
    if not apart:
        return _FEW
    return sum(apart) / 2 if len(apart) == 2 else _ONE_SIDED * apart[0]
