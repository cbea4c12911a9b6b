"""The words that all reports share: the headline of a run, and the verdict and values of a budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from dbz.measure.budget.counted import Counted
from dbz.measure.budget.limits import Limit, format_value
from dbz.measure.budget.verdicts import Effect, Outcome
from dbz.report.words.unjudged import unjudged
from dbz.runs.schema import BudgetResult, Deliveries, Operation, Run, RunVerdict
from dbz.units import format_duration, format_rate

BADGES = {
    RunVerdict.PASS: "PASS",
    RunVerdict.FAIL: "FAIL",
    RunVerdict.INVALID: "INVALID",
    RunVerdict.INTERRUPTED: "INTERRUPTED",
    RunVerdict.RUNNING: "UNFINISHED",
}
_MOST_COUNTERS = 4
"""So many counters have room beside the other figures of a running load."""
KINDS = {
    "http": "HTTP requests",
    "delivery": "Deliveries, sender to receiver",
    "composite": "User actions",
    "page": "Pages in a browser",
    "measure": "Measured by the scenario",
    "ack": "Acknowledgements",
    "connect": "Socket connects",
    "other": "Other requests",
    "untimed": "Requests without a time",
    "task": "Errors of the scenario's code",
}
"""The kinds of operations in the order of reports, and what each is called."""


def headline(run: Run) -> str:
    """The verdict in one sentence."""
    counts = _counts(run)
    worse = len(run.comparison.worse) if run.comparison else 0
    gone = len(run.comparison.vanished) if run.comparison and not run.comparison.vanished_allowed else 0
    if gone:
        counts = f"{gone} {plural('operation', gone)} of the baseline vanished; {counts}"
    failing = len(run.comparison.failing) if run.comparison else 0
    if failing:
        counts = f"{failing} {plural('operation', failing)} that the baseline has not failed; {counts}"
    if worse:
        counts = f"{worse} {plural('operation', worse)} became worse than in the baseline; {counts}"
    if run.verdict is RunVerdict.INVALID:
        return f"The measurement cannot be trusted; {counts}."
    if run.verdict is RunVerdict.INTERRUPTED and not run.window.seconds:
        return f"Stopped in the warm-up, after {format_duration(run.duration_s)}: nothing was judged."
    if run.verdict is RunVerdict.INTERRUPTED:
        return f"Stopped early, after {format_duration(run.duration_s)}; of what was measured, {counts}."
    if run.verdict is RunVerdict.RUNNING:
        return f"Still running, or dbz was killed; in the record so far, {counts}."
    if run.verdict is RunVerdict.PASS and (wrong := unjudged(run)):
        counts = f"{counts}; but {' and '.join(wrong)}, which no budget is about"
    return f"{counts[0].upper()}{counts[1:]}."


def short_verdict(run: Run) -> str:
    """The verdict and the run in one line: `PASS, all 11 measured budgets hold (20261123T…)`."""
    return f"{BADGES[run.verdict]}, {headline(run)[0].lower()}{headline(run)[1:].rstrip('.')} ({run.id})"


def _counts(run: Run) -> str:
    outcomes = [budget.verdict for budget in run.budgets]
    missing = outcomes.count(Outcome.NOT_MEASURED)
    measured = len(outcomes) - missing
    if not outcomes:
        return "no budgets were given"
    broken = sum(failed(budget) or budget.verdict == Outcome.BROKEN for budget in run.budgets if is_measured(budget))
    unsure = sum(budget.verdict == Outcome.INCONCLUSIVE and not failed(budget) for budget in run.budgets)
    if broken:
        text = f"{broken} of {measured} measured {plural('budget', measured)} {'is' if broken == 1 else 'are'} broken"
    elif measured:
        text = f"all {measured} measured budgets hold" if measured > 1 else "the one measured budget holds"
    else:
        text = "no budget was measured"
    lacking = sum(failed(budget) and not is_measured(budget) for budget in run.budgets)
    if lacking:
        text += f", but {lacking} required {'one was' if lacking == 1 else 'ones were'} not measured"
        missing -= lacking
    asides = [f"{unsure} {'is' if unsure == 1 else 'are'} not sure"] if unsure else []
    asides += [f"{missing} {'was' if missing == 1 else 'were'} not measured"] if missing and measured else []
    return "; ".join([text, *asides])


def is_measured(budget: BudgetResult) -> bool:
    """Whether there is a value to show."""
    return budget.verdict != Outcome.NOT_MEASURED


def plural(word: str, count: int) -> str:
    """The word, with an s unless there is one of it."""
    return word if count == 1 else word + "s"


def failed(budget: BudgetResult) -> bool:
    """Whether a budget breaks the run."""
    return bool(budget.reason)


def warns(budget: BudgetResult) -> bool:
    """Whether a budget is to be pointed out although it does not break the run."""
    return budget.effect == Effect.WARN


def unsure(budget: BudgetResult) -> bool:
    """Whether the verdict could be another one with more samples."""
    return budget.verdict == Outcome.INCONCLUSIVE


def verdict_text(budget: BudgetResult) -> str:
    """The verdict in a word or two: `broken`, `broken (warning)`, or how an inconclusive one counts."""
    if unsure(budget):
        return f"{budget.verdict}, {'broken' if failed(budget) or warns(budget) else 'holds'}"
    return f"{budget.verdict} (warning)" if warns(budget) else budget.verdict


def by_importance(budgets: Iterable[BudgetResult]) -> list[BudgetResult]:
    """What breaks the run first, then warnings, what is not sure, what holds, what was not measured."""
    ranks = {Outcome.BROKEN: 2, Outcome.INCONCLUSIVE: 3, Outcome.PASS: 4, Outcome.NOT_MEASURED: 5}

    def rank(budget: BudgetResult) -> int:
        if failed(budget):
            return 0 if is_measured(budget) else 1
        return 2 if warns(budget) else ranks[Outcome(budget.verdict)]

    return sorted(budgets, key=rank)


def value_text(budget: BudgetResult) -> str:
    """What was measured, in the unit of the budget; `failed` where the statistic fell on failed attempts."""
    if budget.verdict == Outcome.NOT_MEASURED:
        return "not measured"
    return format_value(math.inf if budget.value is None else budget.value, budget.unit)


def limit_text(budget: BudgetResult) -> str:
    """The limit with its comparison, such as `< 500 ms`."""
    return str(Limit(budget.op, math.nan if budget.limit is None else budget.limit, budget.unit, budget.allowance))


def interval_text(budget: BudgetResult) -> str:
    """The confidence interval, such as `119–127 ms`; `exact` where the value is a fact and not an estimate."""
    return budget.interval or ("exact" if is_measured(budget) else "")


def error_text(budget: BudgetResult) -> str:
    """How far the histogram may be off, as a share of the value; empty where there is none."""
    return f"{budget.error / budget.value * 100:.2g} %" if budget.error and budget.value else ""


def p95_for_sorting(operation: Operation) -> float:
    """The p95 in milliseconds, infinite where it fell on failed attempts."""
    return math.inf if operation.latency_ms.p95 is None else operation.latency_ms.p95


def slowest_first(operations: Iterable[Operation]) -> list[Operation]:
    """Operations by kind, the slowest of each kind first."""
    kinds = list(KINDS)
    rank = {kind: at for at, kind in enumerate(kinds)}
    return sorted(operations, key=lambda one: (rank.get(one.kind, len(kinds)), -p95_for_sorting(one)))


def delivery_text(row: Deliveries) -> str:
    """What became of the messages of one event, in one line."""
    bad = {
        "lost": row.lost,
        "delivered twice": row.duplicated,
        "out of order": row.out_of_order,
        "to somebody who is not in their room": row.astray,
    }
    found = ", ".join(f"{count:,} {what}" for what, count in bad.items() if count)
    return f"{row.delivered:,} of {row.expected:,} delivered, {found or 'none lost, twice or out of order'}"


def counter_text(total: float, rate_per_s: float) -> str:
    """What was counted, in all and a second: `312, 5.2/s`."""
    return f"{total_text(total)}, {format_rate(rate_per_s)}"


def total_text(total: float) -> str:
    """What was counted in all; whole numbers to the last digit."""
    return f"{int(total):,}" if float(total).is_integer() else format_value(total, "")


def counters_now_text(counters: Mapping[str, Counted]) -> str:
    """What counters say while a load runs, the first few of them: `orders 312, 5.2/s`."""
    shown = [
        f"{name} {counter_text(one.total, sum(one.by_second) / max(len(one.by_second), 1))}"
        for name, one in list(counters.items())[:_MOST_COUNTERS]
    ]
    return "; ".join([*shown, *(["…"] if len(counters) > _MOST_COUNTERS else [])])


def share_of_limit(budget: BudgetResult) -> float | None:
    """How much of an upper limit is used up, infinite on failed attempts; None for lower limits and without a value."""
    if budget.verdict == Outcome.NOT_MEASURED or not budget.op.startswith("<") or not budget.limit:
        return None
    return math.inf if budget.value is None else budget.value / budget.limit


def latency_text(value_ms: float | None, unit: str = "") -> str:
    """Milliseconds with three digits; `failed` where the figure fell on failed attempts (None or infinite)."""
    if value_ms is None or math.isinf(value_ms):
        return "failed"
    return (f"{value_ms:,.0f}" if value_ms >= 100 else f"{value_ms:.3g}") + unit
