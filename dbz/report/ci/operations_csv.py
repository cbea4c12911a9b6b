"""`operations.csv`: one row for each operation, for spreadsheets."""

from __future__ import annotations

import csv
import io

from dbz.printable import no_formula
from dbz.runs.schema import AnswerMeans, LatencyFigures, Operation, Run

_LATENCIES = [f"{name}_ms" for name in LatencyFigures.model_fields]
_ANSWERS = [f"answered_{name}" for name in AnswerMeans.model_fields]
COLUMNS = ("kind", "operation", "count", "errors", "error_rate", "rate_per_s", *_LATENCIES, *_ANSWERS)
"""Latencies are in milliseconds and empty where the figure fell on failed attempts; `error_rate` is a share of one.

What is `answered_…` is of answered HTTP requests in the mean, and empty for others.
"""


def render_csv(run: Run) -> str:
    """The text of the file."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_row(operation) for operation in run.operations)
    return out.getvalue()


def _row(operation: Operation) -> list[object]:
    return [
        operation.kind,
        no_formula(operation.name),
        operation.count,
        operation.errors,
        operation.errors / operation.count if operation.count else 0,
        round(operation.rate_per_s, 3),
        *("" if value is None else value for value in operation.latency_ms.model_dump().values()),
        *(operation.answers.model_dump().values() if operation.answers else [""] * len(_ANSWERS)),
    ]
