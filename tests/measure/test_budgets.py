"""Budgets: the limit grammar, and verdicts that cannot lie."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.budget.budgets import parse_budget
from dbz.measure.budget.limits import format_value, parse_limit
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Outcome, Verdict, judge
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, Series

durations_us = st.lists(st.integers(1, 3_000_000), max_size=30)
POSTS = Series(HTTP, "GET /api/posts")


def measured(ok_us: list[int], failed_us: list[int]) -> Measurements:
    ok, failed = Histogram(), Histogram()
    for value in ok_us:
        ok.record(value)
    for value in failed_us:
        failed.record(value)
    return Measurements(seconds=10, latencies={POSTS: Latency(ok, failed)})


def verdict(of: str, stat: str, limit: str, found: Measurements, *, required: bool = False) -> Verdict:
    return judge([parse_budget("it", of, stat, limit, required=required)], found)[0]


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("< 500ms", "ms", 500),
        ("<2s", "ms", 2000),
        (" >= 99.9% ", "%", 0.999),
        ("< 4GB", "bytes", 4e9),
        (">= 100/s", "/s", 100),
        (">= 500", "", 500),
        ("> -1", "", -1),
    ],
)
def test_limits_are_read_in_the_unit_of_their_statistic(text: str, unit: str, value: float) -> None:
    limit = parse_limit(text, unit)
    assert (limit.op, limit.value, limit.unit) == (
        text.strip().rstrip("0123456789.%msGB/- "),
        pytest.approx(value),
        unit,
    )


@given(st.sampled_from(["<", "<=", ">", ">="]), st.integers(1, 10**6), st.sampled_from(["", " ", "  "]))
def test_a_limit_survives_its_text(op: str, number: int, gap: str) -> None:
    limit = parse_limit(f"{op}{gap}{number}ms", "ms")
    assert (limit.op, limit.value) == (op, pytest.approx(number))
    assert str(limit).startswith(f"{op} ")


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("500ms", "ms", "a comparison \\(<, <=, >, >=\\)"),
        ("== 5", "", "a comparison"),
        ("< 500", "ms", "write for example 500ms"),
        ("< 500ms", "%", "write for example 0.1%"),
        ("< 5", "bytes", "write for example 512B"),
        ("< 5", "/s", "write for example 200/s"),
        ("< many", "", "not a number; write for example"),
        (">= nan", "", "not a number"),
        ("< inf", "", "not a number"),
    ],
)
def test_a_wrong_limit_names_what_is_allowed(text: str, unit: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_limit(text, unit)


def test_a_measured_budget_passes_or_is_broken() -> None:
    found = measured([40_000] * 900 + [80_000] * 100, [])
    assert verdict("http", "p95", "< 100ms", found).outcome is Outcome.PASS
    broken = verdict("http", "p95", "< 50ms", found)
    assert (broken.outcome, broken.breaks_run, broken.samples) == (Outcome.BROKEN, True, 1000)
    assert broken.reason == "it: p95 of http is 80.1 ms, limit < 50 ms (60.1 % over), 95 % interval 80–80.1 ms"


def test_not_measured_is_never_a_pass() -> None:
    nothing = verdict("delivery{event=chat}", "p95", "< 100ms", measured([1], []))
    assert (nothing.outcome, nothing.value, nothing.breaks_run, nothing.reason) == (
        Outcome.NOT_MEASURED,
        None,
        False,
        "",
    )


def test_a_required_budget_that_was_not_measured_breaks_the_run() -> None:
    nothing = verdict("uptime", "rate", ">= 99%", measured([1], []), required=True)
    assert nothing.outcome is Outcome.NOT_MEASURED and nothing.breaks_run
    assert nothing.reason == "it: required, but uptime was not measured"


def test_a_limit_is_judged_on_the_value_and_not_on_its_rounded_text() -> None:
    close = verdict("http", "p95", "< 500ms", measured([500_300] * 200, []))
    assert close.outcome is Outcome.BROKEN
    assert close.reason.startswith("it: p95 of http is 500.479 ms, limit < 500 ms (0.0958 % over), ")


@pytest.mark.parametrize(
    ("of", "stat", "limit", "says"),
    [
        ("http", "p95", "< 1ms", r"is 40 ms, limit < 1 ms \(40 times the limit\)"),
        ("http", "rate", ">= 100/s", r"is 10/s, limit >= 100/s \(90 % short\)"),
        ("http", "p95", "< 0ms", "is 40 ms, limit < 0 ms, "),
    ],
)
def test_the_reason_says_by_how_much(of: str, stat: str, limit: str, says: str) -> None:
    broken = verdict(of, stat, limit, measured([40_000] * 100, []))
    assert broken.outcome is Outcome.BROKEN
    assert re.search(says, broken.reason), broken.reason


def test_a_percentile_that_falls_on_failures_breaks_and_says_so() -> None:
    broken = verdict("http", "p95", "< 500ms", measured([1000] * 900, [10] * 100))
    assert (broken.outcome, broken.value) == (Outcome.BROKEN, math.inf)
    assert broken.reason == "it: p95 of http falls on failed attempts, limit < 500 ms"


latency_stats = st.sampled_from(["mean", "p50", "p90", "p95", "p99", "p99.9", "max"])


@given(durations_us, durations_us, durations_us, latency_stats, st.integers(1, 3000))
def test_failures_never_turn_a_broken_budget_into_a_pass(
    ok: list[int], failed: list[int], more: list[int], stat: str, limit_ms: int
) -> None:
    before = verdict("http", stat, f"< {limit_ms}ms", measured(ok, failed))
    after = verdict("http", stat, f"< {limit_ms}ms", measured(ok, failed + more))
    assert not (before.outcome is Outcome.BROKEN and after.outcome is Outcome.PASS)


@given(durations_us, durations_us, st.integers(1, 20), latency_stats, st.integers(1, 3000))
def test_slower_samples_never_turn_a_broken_budget_into_a_pass(
    ok: list[int], failed: list[int], more: int, stat: str, limit_ms: int
) -> None:
    slowest = [max([*ok, *failed, 1]) * 2] * more
    before = verdict("http", stat, f"< {limit_ms}ms", measured(ok, failed))
    after = verdict("http", stat, f"< {limit_ms}ms", measured(ok + slowest, failed))
    if before.value != math.inf:  # a figure that falls on failures: any success is faster than those
        assert not (before.outcome is Outcome.BROKEN and after.outcome is Outcome.PASS)
        assert not (before.breaks_run and not after.breaks_run)


@given(durations_us, durations_us, durations_us, st.sampled_from(["error_rate", "rate", "count"]))
def test_failures_never_improve_errors_or_throughput(
    ok: list[int], failed: list[int], more: list[int], stat: str
) -> None:
    limit = {"error_rate": "< 10%", "rate": ">= 1/s", "count": ">= 10"}[stat]
    before = verdict("http", stat, limit, measured(ok, failed))
    after = verdict("http", stat, limit, measured(ok, failed + more))
    assert not (before.outcome is Outcome.BROKEN and after.outcome is Outcome.PASS)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.345, "ms", "12.3 ms"),
        (0.999, "%", "99.9 %"),
        (3.4e9, "bytes", "3.4 GB"),
        (500, "", "500"),
        (math.inf, "ms", "failed"),
    ],
)
def test_values_are_printed_in_their_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text
