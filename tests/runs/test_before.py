"""What is asked only before the judged part, such as logins, is judged all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import ACK, CONNECT, HTTP, Series
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.reading import Record

ERRORS = parse_budget("errors", "errors", "error_rate", "< 2%")
QUICK = parse_budget("quick", "http", "p95", "< 500ms")
SECONDS, START_S = 6, 2
LOGIN = Series(HTTP, "POST /login")


def run_of(
    *, failing: int, of: Series = LOGIN, seconds: Sequence[int] = (0, 1), budgets: Sequence[Budget] = (ERRORS, QUICK)
) -> Run:
    """A run of two seconds of warm-up and four judged ones, with 100 good requests in each, and in some of its seconds
    50 attempts of another operation, of which some fail.
    """
    record = Record(marks={"steady": float(START_S), "end": float(SECONDS)})
    for second in range(SECONDS):
        record.intervals.append(Interval(Series(HTTP, "GET /a"), second, 1.0, Histogram({500: 100})))
        line = {"t": second + 1.0, "dt": 1.0, "users": 5, "cpu_percent": 5, "errors": []}
        if second in seconds:
            record.intervals.append(Interval(of, second, 1.0, Histogram({500: 50 - failing})))
            record.intervals.append(Interval(of.as_failed(), second, 1.0, Histogram({500: failing} if failing else {})))
            line["errors"] = [[of.kind, of.name, "HTTP 500", failing]] if failing else []
        record.workers.setdefault("worker-0", []).append(line)
        record.server.append({"t": second + 0.5, "up": True})
    run = Run(id="r", started="2026-11-23T06:54:50+00:00", profile={"users": 5, "workers": 1}, target="t", seed=1)
    return conclude(run, record, budgets)


def test_logins_that_fail_in_the_warm_up_fail_the_run() -> None:
    run = run_of(failing=5)
    assert run.verdict is RunVerdict.FAIL
    assert run.reasons == [
        "POST /login failed 10 of 100 times before the judged part, and was not asked again in it: HTTP 500"
    ]
    assert run_of(failing=5, of=Series(ACK, "enter")).verdict is RunVerdict.FAIL


@pytest.mark.parametrize(
    "more",
    [
        {"failing": 0},
        {"failing": 1},  # 2 %: what the budget allows is not a failure
        {"failing": 5, "of": Series(HTTP, "GET /a")},  # asked again: the warm-up of an operation is not judged
        {"failing": 5, "of": Series(CONNECT, "socket")},
        {"failing": 5, "budgets": (QUICK,)},
    ],
    ids=["none", "few", "asked again", "comes back by itself", "no budget on errors"],
)
def test_what_a_warm_up_is_for_fails_no_run(more: dict[str, object]) -> None:
    allows = parse_budget("errors", "errors", "error_rate", "<= 2%")
    run = run_of(**({"budgets": (allows, QUICK)} | more))  # type: ignore[arg-type]
    assert run.verdict is RunVerdict.PASS, run.reasons
