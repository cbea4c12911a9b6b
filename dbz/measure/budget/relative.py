"""Limits that are relative to a baseline: what they come to once its runs are known, and how runs are held against it.

The baseline's value is the geometric mean of its runs. As in a comparison, it is runs that differ, not samples: the
interval of what is judged is widened by how much runs differ from each other, learnt where there are several, assumed
where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dbz.measure.budget.budgets import Budget, Treatment
from dbz.measure.budget.measured import Measured
from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.verdicts import Verdict, decide
from dbz.measure.compare.moderation import squares
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.confidence import normal_quantile
from dbz.measure.student import t_quantile


def against(
    budgets: Sequence[Budget], baseline: Sequence[Measurements], terms: ComparisonTerms, *, runs: int = 1
) -> list[Budget]:
    """The budgets, those relative to a baseline with the limit that its runs give them; what no run measured stays
    open.

    `runs` is how many runs will be held against it. With one on either side a budget that is inconclusive holds, where
    its rule leaves that to the value: it would take noise for a finding.
    """
    return [
        budget if budget.limit.allowance is None else _resolved(budget, baseline, terms, runs) for budget in budgets
    ]


def judged_together(budget: Budget) -> bool:
    """Whether repeated runs are held against this limit together; stretches of time are looked at run by run."""
    return budget.limit.allowance is not None and not budget.windows and not budget.after_s


def judge_together(budget: Budget, baseline: Sequence[Measurements], runs: Sequence[Measurements]) -> Verdict | None:
    """The verdict over several runs: that of their geometric mean, with the noise between runs as its uncertainty.

    None when it must be judged by a single run: when a run did not measure it, or has no logarithm.
    """
    before, after = (_measured(budget, side) for side in (baseline, runs))
    if len(after) < max(len(runs), 2) or not before or any(one.value <= 0 for one in (*before, *after)):
        return None
    logs = [[math.log(one.value) for one in side] for side in (before, after)]
    freedom = len(before) + len(after) - 2
    variance = sum(map(squares, logs)) / freedom
    error = math.sqrt(variance * (1 / len(before) + 1 / len(after)))
    half = t_quantile(freedom, budget.rule.confidence) * error
    value = math.exp(sum(logs[1]) / len(after))
    samples = sum(one.samples for one in after)
    over = Measured(value, samples, value * math.exp(-half), value * math.exp(half), max(one.error for one in after))
    verdict = decide(replace(budget, baseline_spread=0.0), over)
    note = f"over {len(after)} runs"
    return replace(verdict, budget=budget, note="; ".join(part for part in (verdict.note, note) if part))


def _resolved(budget: Budget, baseline: Sequence[Measurements], terms: ComparisonTerms, runs: int) -> Budget:
    found = _measured(budget, baseline)
    if not found:
        return budget
    value, spread = _level(found, terms.assumed_variance(budget.stat), budget.rule.confidence)
    limit = replace(budget.limit, value=value * (1 + (budget.limit.allowance or 0.0)))
    rule = budget.rule
    if min(len(found), runs) == 1 and rule.inconclusive is Treatment.VALUE:
        rule = replace(rule, inconclusive=Treatment.PASS)
    return replace(budget, limit=limit, baseline_spread=spread, rule=rule)


def _measured(budget: Budget, runs: Sequence[Measurements]) -> list[Measured]:
    found = [measure(budget.of, budget.stat, run, budget.rule.confidence) for run in runs]
    return [one for one in found if one is not None and not math.isinf(one.value)]


def _level(runs: Sequence[Measured], assumed: float, confidence: float) -> tuple[float, float]:
    """The value of the baseline, and the standard deviation of the logarithm of one new run's value around it, as that
    of a normal variable; `assumed` is the variance of a run whose noise nothing is known of."""
    if any(one.value <= 0 for one in runs):
        return sum(one.value for one in runs) / len(runs), 0.0
    logs = [math.log(one.value) for one in runs]
    mean = sum(logs) / len(logs)
    if len(runs) > 1:
        freedom = len(logs) - 1
        variance = squares(logs) / freedom * (t_quantile(freedom, confidence) / normal_quantile(confidence)) ** 2
        return math.exp(mean), math.sqrt(max(variance, assumed) + variance / len(logs))
    ends = [end for end in (runs[0].low, runs[0].high) if end is not None and end > 0 and not math.isinf(end)]
    half = max((abs(math.log(end) - mean) for end in ends), default=0.0)
    return math.exp(mean), math.hypot(half / normal_quantile(confidence), math.sqrt(2 * assumed))
