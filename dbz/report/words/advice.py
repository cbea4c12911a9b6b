"""What to look at next after a run, from its figures."""

from __future__ import annotations

from dbz.measure.budget.metrics import parse_selector
from dbz.report.words.comparison import suspect_advice
from dbz.report.words.facts import slowest_query
from dbz.report.words.names import names_advice
from dbz.report.words.services import fault_texts
from dbz.report.words.verdict import failed, p95_for_sorting
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.units import counted, format_ms

_BUSY_PERCENT = 70.0
_OF_GOOD_ANSWERS = ("http.doubtful", "ack.doubtful", "delivery.duplicated", "delivery.out_of_order", "delivery.astray")
"""Metrics of attempts that have not failed: errors do not explain their budgets."""


def next_steps(run: Run) -> list[str]:
    """What to look at next, most useful first; empty when all is good."""
    broken = [budget for budget in run.budgets if failed(budget)]
    steps = []
    if run.verdict is RunVerdict.INVALID:
        steps.append("Mend what makes the run invalid and repeat it; do not compare these numbers with others.")
    if any("err" in budget.stat and not budget.of.startswith(_OF_GOOD_ANSWERS) for budget in broken) and run.errors:
        worst = run.errors[0]
        steps.append(f"Most frequent error: {worst.error} in {worst.operation} ({counted(worst.count, 'time')}).")
    if run.verdict is not RunVerdict.PASS and (faults := fault_texts(run)):
        steps.append(f"This load asked for faults, and errors or slow answers may come of them: {'; '.join(faults)}.")
    steps += [step for budget in broken if (step := _slowest_part(budget, run))]
    if broken and run.server and (run.server.cpu_percent or 0) > _BUSY_PERCENT:
        steps.append(f"The server used {run.server.cpu_percent:.0f} % of its cores: look there before anything else.")
    if any(budget.of.startswith(("http", "server.query")) for budget in broken) and slowest_query(run):
        steps.append(f"Slowest query of the server: {slowest_query(run)}.")
    steps += [f"{note[0].upper()}{note[1:]}." for note in run.notes]
    steps += suspect_advice(run.comparison) if run.comparison else []
    steps += names_advice(run)
    return list(dict.fromkeys(steps))


def _slowest_part(budget: BudgetResult, run: Run) -> str:
    """The operation that contributes most to a broken latency budget, if it is about several."""
    selector = parse_selector(budget.of)
    parts = [
        operation
        for operation in run.operations
        if operation.kind == selector.metric.name and selector.matches(operation.name)
    ]
    if budget.unit != "ms" or len(parts) < 2:
        return ""
    slowest = max(parts, key=p95_for_sorting)
    p95 = slowest.latency_ms.p95
    shown = "more than 5 % of its attempts failed" if p95 is None else f"p95 {format_ms(p95)}"
    return f"{budget.name}: the slowest part is {slowest.name}, {shown} over {counted(slowest.count, 'attempt')}."
