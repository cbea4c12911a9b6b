"""Conclusions of runs, made up for the tests of capacity searches: what a real run would have said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dbz.config.budgets import load_budgets
from dbz.config.load.profile import load_profile
from dbz.config.phases.file import load_phases
from dbz.load.capacity.result import conclude_capacity, step_of, tried_by
from dbz.load.capacity.search import Bounds, Next, search
from dbz.load.new_run import new_run
from dbz.load.planning.plan import LoadPlan
from dbz.runs.capacity import Capacity, CapacityStep
from dbz.runs.schema import (
    BudgetResult,
    Generator,
    LatencyFigures,
    Operation,
    Run,
    RunVerdict,
    Server,
    Window,
)

NO_LATENCY = LatencyFigures(mean=1, p50=1, p90=1, p95=1, p99=1, p999=1, max=1)


def first_run(**profile: Any) -> Run:
    """The run as a search knows it at its beginning."""
    changed = load_profile("mixed", profile)
    plan = LoadPlan(changed, "http://127.0.0.1:1", "", load_budgets("service"), embedded=True)
    return new_run(plan, "20261123T000000Z-capacity-test", datetime(2026, 11, 23, tzinfo=UTC))


def budget(value: float | None, *, name: str = "api_response_time", limit: float = 500.0) -> BudgetResult:
    """A latency budget; None stands for a figure that fell on failed attempts."""
    broken = value is None or value >= limit
    reason = f"{name}: p95 of http is {value} ms, limit < {limit:g} ms" if broken else ""
    return BudgetResult(
        name=name, of="http", stat="p95", op="<", limit=limit, unit="ms", value=value,
        verdict="broken" if broken else "pass", samples=1000, reason=reason,
    )  # fmt: skip


def made_run(
    load: int,
    *budgets: BudgetResult,
    verdict: RunVerdict | None = None,
    reasons: tuple[str, ...] = (),
    dropped: int = 0,
) -> Run:
    """A run in which each user makes 0.2 requests a second and every second one holds a connection."""
    why = [*reasons, *(one.reason for one in budgets if one.reason)]
    return first_run().model_copy(
        update={
            "id": f"run-{load}",
            "verdict": verdict or (RunVerdict.FAIL if why else RunVerdict.PASS),
            "reasons": why,
            "budgets": list(budgets),
            "window": Window(start_s=10, end_s=30),
            "operations": [
                Operation(name="GET /", kind="http", count=1, errors=0, rate_per_s=load / 5, latency_ms=NO_LATENCY),
                Operation(name="chat", kind="delivery", count=1, errors=0, rate_per_s=load, latency_ms=NO_LATENCY),
                Operation(name="page", kind="composite", count=1, errors=0, rate_per_s=9.0, latency_ms=NO_LATENCY),
            ],
            "server": Server(connections=load // 2),
            "generator": Generator(
                workers=1, cpu_percent=10, lag_ms_p99=1, begun_arrivals=100, dropped_arrivals=dropped
            ),
        }
    )


def made_step(load: int, value: float | None = None, earlier: int = 0) -> CapacityStep:
    """A step whose p95 is `value`, by default half a millisecond a user."""
    return step_of(made_run(load, budget(load / 2 if value is None else value)), Next(load, earlier))


def searched(highest: int = 5000, threshold: int = 1000) -> Capacity:
    """A whole search on a server whose p95 reaches 500 ms at `threshold` users."""
    bounds, steps, tried = Bounds(65, highest), [], []
    while isinstance(step := search(bounds, tried), Next):
        one = made_step(step.load, 500 * step.load / threshold, step.earlier)
        steps.append(one)
        tried.append(tried_by(step, one))
    return conclude_capacity(first_run(), bounds, load_phases(), steps, tried, over=True, interrupted=False)
