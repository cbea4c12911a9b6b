"""No headline calls a run good in which something went wrong that no budget is about."""

from __future__ import annotations

import pytest

from dbz.measure.budget.budgets import Budget, parse_budget
from dbz.measure.latency.series import ACK, HTTP
from dbz.report.words.advice import next_steps
from dbz.report.words.unjudged import unjudged
from dbz.report.words.verdict import headline
from dbz.runs.conclude import unjudged as as_results
from dbz.runs.schema import Deliveries, InjectedFault, LatencyFigures, Operation, Run, RunVerdict
from tests.runs.builder import Scene

FIGURES = LatencyFigures(mean=5, p50=5, p90=5, p95=5, p99=5, p999=5, max=5)
CLEAN = Deliveries(event="chat", sent=9, expected=90, delivered=90)
HONEST = parse_budget("honest", "http.doubtful", "error_rate", "< 1%")
FAULT = InjectedFault(service="game", kind="errors", what="failed 20 % of its calls", start_s=4, end_s=9)


def row(kind: str, name: str, doubtful: int) -> Operation:
    """An operation of 100 attempts, of which 10 failed."""
    return Operation(name=name, kind=kind, count=100, errors=10, rate_per_s=1, latency_ms=FIGURES, doubtful=doubtful)


def passed(*parts: Operation | Deliveries, budgets: tuple[Budget, ...] = ()) -> Run:
    """A run that passed, with these operations and deliveries."""
    return (
        Scene()
        .run("x")
        .model_copy(
            update={
                "verdict": RunVerdict.PASS,
                "operations": [one for one in parts if isinstance(one, Operation)],
                "deliveries": [one for one in parts if isinstance(one, Deliveries)],
                "budgets": as_results(budgets),
            }
        )
    )


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (passed(row(HTTP, "GET /a", 0), CLEAN), []),
        (
            passed(row(HTTP, "GET /a", 9), row(HTTP, "GET /b", 0), row(ACK, "join", 2)),
            [
                "9 of 180 good answers say that something went wrong",
                "2 of 90 good acknowledgements say that something went wrong",
            ],
        ),
        (passed(row(HTTP, "GET /a", 9), budgets=(HONEST,)), []),
        (
            passed(
                row(HTTP, "GET /a", 9),
                row(HTTP, "GET /b", 1),
                budgets=(parse_budget("a", 'http.doubtful{op="GET /a"}', "count", "< 10"),),
            ),
            ["1 of 90 good answers say that something went wrong"],
        ),
        (
            passed(CLEAN.model_copy(update={"astray": 1, "duplicated": 2})),
            ["1 message reached somebody who is not in their room", "2 messages arrived twice"],
        ),
        (
            passed(
                CLEAN.model_copy(update={"astray": 1}),
                budgets=(parse_budget("a", "delivery.astray{event=chat}", "count", "< 5"),),
            ),
            [],
        ),
    ],
)
def test_what_no_budget_is_about_is_said(run: Run, says: list[str]) -> None:
    assert unjudged(run) == says
    assert all(one in headline(run) for one in says)
    assert headline(run).endswith(", which no budget is about.") is bool(says)


def test_a_run_that_failed_says_only_why() -> None:
    failed = passed(row(HTTP, "GET /a", 9)).model_copy(update={"verdict": RunVerdict.FAIL})
    assert "no budget is about" not in headline(failed)


def test_faults_that_the_load_asked_for_are_named_where_it_failed() -> None:
    run = passed().model_copy(update={"faults": [FAULT]})
    told = "This load asked for faults, and errors or slow answers may come of them: on purpose game failed 20 % of"
    assert not any(step.startswith(told) for step in next_steps(run))
    assert next_steps(run.model_copy(update={"verdict": RunVerdict.FAIL}))[0].startswith(told)
