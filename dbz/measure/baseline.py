"""Limits that are relative to a baseline: what they come to once its runs are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dbz.measure.budgets import Budget
from dbz.measure.confidence import normal_quantile
from dbz.measure.measured import Measured
from dbz.measure.measuring import Measurements, measure


def against(budgets: Sequence[Budget], baseline: Sequence[Measurements]) -> list[Budget]:
    """The budgets, those relative to a baseline with the limit that its runs give them; what no run measured stays
    open.

    The baseline's value is the geometric mean of its runs. How far it may be off, and with several runs how far any run
    is from it, widens the interval of what is judged.
    """
    return [budget if budget.limit.allowance is None else _resolved(budget, baseline) for budget in budgets]


def _resolved(budget: Budget, baseline: Sequence[Measurements]) -> Budget:
    runs = [measure(budget.of, budget.stat, run, budget.rule.confidence) for run in baseline]
    found = [one for one in runs if one is not None and not math.isinf(one.value)]
    if not found:
        return budget
    value, spread = _level(found)
    limit = replace(budget.limit, value=value * (1 + (budget.limit.allowance or 0.0)))
    return replace(budget, limit=limit, baseline_spread=spread)


def _level(runs: Sequence[Measured]) -> tuple[float, float]:
    """The value of the baseline, and the standard deviation of the logarithm of a run's value around it."""
    if any(one.value <= 0 for one in runs):
        return sum(one.value for one in runs) / len(runs), 0.0
    logs = [math.log(one.value) for one in runs]
    mean = sum(logs) / len(logs)
    if len(runs) > 1:
        deviation = math.sqrt(sum((value - mean) ** 2 for value in logs) / (len(runs) - 1))
        return math.exp(mean), deviation * math.sqrt(1 + 1 / len(runs))
    ends = [end for end in (runs[0].low, runs[0].high) if end is not None and end > 0 and not math.isinf(end)]
    half = max((abs(math.log(end) - mean) for end in ends), default=0.0)
    return math.exp(mean), half / normal_quantile(0.95)
