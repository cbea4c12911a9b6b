"""`bencher.json`: Bencher Metric Format, for services that keep the history of measurements.

One benchmark for each operation (`http GET /api/posts`) with the measures `latency_p50_ms`, `latency_p95_ms`,
`latency_p99_ms`, `error_rate` (a share) and `throughput_per_s`, and one for each measured budget (`budget
api_response_time`) with its interval.
"""

from __future__ import annotations

import json

from dbz.report.words.verdict import is_measured
from dbz.runs.schema import BudgetResult, Operation, Run

Measures = dict[str, dict[str, float]]


def render_bencher(run: Run) -> str:
    """The text of the file, without figures that fell on failed attempts: the format has no word for them."""
    rows = {f"{one.kind} {one.name}": _operation(one) for one in run.operations}
    rows |= {f"budget {one.name}": _budget(one) for one in run.budgets if is_measured(one) and one.value is not None}
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _operation(one: Operation) -> Measures:
    latencies = {f"latency_{name}_ms": getattr(one.latency_ms, name) for name in ("p50", "p95", "p99")}
    figures = {**latencies, "error_rate": one.errors / one.count, "throughput_per_s": one.rate_per_s}
    return {name: {"value": value} for name, value in figures.items() if value is not None}


def _budget(one: BudgetResult) -> Measures:
    bounds = {"value": one.value, "lower_value": one.low, "upper_value": one.high}
    return {one.stat: {key: value for key, value in bounds.items() if value is not None}}
