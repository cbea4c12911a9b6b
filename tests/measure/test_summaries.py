"""Finished figures of other tools: what they say, what they cannot say, and that failures never improve them."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbz.measure.budget.measured import Measured
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, OTHER, Series
from dbz.measure.latency.summaries import Summaries, Summary

PERCENTS = (10, 25, 50, 66, 75, 80, 90, 95, 99)
times = st.lists(st.integers(1, 900), max_size=60)


def measured(summary: Summary, stat: str, of: str = "http") -> Measured | None:
    return Summaries({Series(HTTP, ""): summary}).measure(parse_selector(of), stat, 0.95)


def figures(samples: list[int]) -> dict[str, float]:
    """What a tool writes of samples: mean, ends, and percentiles between two ranks."""
    ordered = sorted(samples)
    if not ordered:
        return {}
    points = {f"p{percent}": ordered[math.ceil(percent / 100 * len(ordered)) - 1] for percent in PERCENTS}
    return {"mean": sum(ordered) / len(ordered), "min": ordered[0], "max": ordered[-1], **points}


def truth(good: list[int], bad: list[int]) -> Latency:
    ok, failed = Histogram(), Histogram()
    for histogram, samples in ((ok, good), (failed, bad)):
        for sample in samples:
            histogram.record(sample * 1000)
    return Latency(ok, failed)


@given(times, times, st.integers(0, 20), st.sampled_from(PERCENTS), st.booleans())
def test_the_truth_lies_where_a_percentile_is_said_to_lie(
    good: list[int], bad: list[int], untimed: int, percent: int, apart: bool
) -> None:
    assume(good)
    every = len(good) + len(bad) + untimed
    summary = Summary(
        count=every,
        errors=len(bad) + untimed,
        latencies_ms=figures(good + bad),
        success_ms=figures(good) if apart else {},
        untimed=untimed,
    )
    found, exact = measured(summary, f"p{percent}"), truth(good, bad + [1] * untimed).percentile_ms(percent)
    assert found is not None
    if math.isinf(exact):
        assert math.isinf(found.value)
        return
    low = found.low if found.low is not None else found.value
    assert low <= exact * 1.001
    assert exact <= found.value * 1.001


@given(times, times, st.sampled_from(PERCENTS), st.booleans())
def test_failures_never_make_a_percentile_smaller(good: list[int], bad: list[int], percent: int, apart: bool) -> None:
    assume(good)
    every = figures(good + bad)
    summary = Summary(len(good + bad), len(bad), None, every, success_ms=figures(good) if apart else {})
    found = measured(summary, f"p{percent}")
    assert found is not None and found.value >= truth(good, []).percentile_ms(percent) * 0.999


@given(times, times, st.booleans())
def test_failures_never_make_a_mean_smaller(good: list[int], bad: list[int], apart: bool) -> None:
    assume(good)
    summary = Summary(len(good + bad), len(bad), None, figures(good + bad), success_ms=figures(good) if apart else {})
    found = measured(summary, "mean")
    assert found is not None and found.value >= sum(good) / len(good) * 0.999


def test_fast_failures_lower_neither_mean_nor_percentile() -> None:
    # 600 of 1,000 failed in 1 ms, 400 succeeded in 1,000 ms.
    every = {"mean": 400.6, "min": 1, "p50": 1, "max": 1000, "p30": 1, "p95": 1000}
    apart = Summary(1000, 600, 100, every, success_ms={"mean": 1000, "p50": 1000, "p30": 1000, "p95": 1000})
    mean, p30 = measured(apart, "mean"), measured(apart, "p30")
    assert mean is not None and p30 is not None and (mean.value, p30.value) == (1000, 1000)
    together = Summary(1000, 600, 100, every)
    mean = measured(together, "mean")
    assert mean is not None and mean.low == 400.6 and mean.value == pytest.approx(1000)


def test_the_column_of_all_that_is_safe_is_taken_for_a_percentile_of_those_that_succeeded() -> None:
    # 300 of 1,000 failed in 1 ms, 350 took 10 ms, 350 took 1,000 ms: rank 500 of the others is at 80 % of all.
    all_of_them = {"mean": 353.8, "min": 1, "max": 1000, "p50": 10, "p66": 1000, "p80": 1000}
    summary = Summary(1000, 300, 100, all_of_them)
    p50, mean = measured(summary, "p50"), measured(summary, "mean")
    assert p50 is not None and (p50.low, p50.value) == (10, 1000)
    assert mean is not None and mean.value == pytest.approx(505)


def test_unknown_failures_leave_only_an_end_of_every_figure() -> None:
    summary = Summary(1000, 0, 100, {"mean": 40, "p95": 80, "max": 90}, errors_known=False)
    ends = {stat: measured(summary, stat) for stat in ("error_rate", "count", "rate", "p95", "mean")}
    assert {stat: (one.low, one.high) for stat, one in ends.items() if one} == {
        "error_rate": (0, 1),
        "count": (0, 1000),
        "rate": (0, 100),
        "p95": (80, math.inf),
        "mean": (40, math.inf),
    }
    assert all(one and one.only_known for one in ends.values())
    longest = measured(summary, "max")
    assert longest is not None and (longest.value, longest.only_known) == (90, "")


def test_a_tool_that_says_its_successes_a_second_is_believed() -> None:
    sent = measured(Summary(3000, 0, 100, successes_per_s=50), "rate")
    assert sent is not None and sent.value == 50
    refused = measured(Summary(3000, 300, 100), "rate")
    assert refused is not None and refused.value == pytest.approx(90)


def test_views_that_overlap_are_no_whole() -> None:
    views = Summaries(
        {
            Series(HTTP, "login"): Summary(10, 0, 1, {"p95": 5}, overlapping=True),
            Series(HTTP, "status:200"): Summary(90, 0, 9, {"p95": 7}, overlapping=True),
        }
    )
    for of in ("http", 'http{op="*"}', "http{op!=login}", "errors"):
        stat = "error_rate" if of == "errors" else "count"
        assert views.measure(parse_selector(of), stat, 0.95) is None, of
    assert "views that overlap" in views.missing(parse_selector("http"), "p95")
    one = views.measure(parse_selector("http{op=login}"), "p95", 0.95)
    assert one is not None and one.value == 5


def test_a_duration_is_in_no_error_rate() -> None:
    trend = Summary(0, 0, None, {"p95": 60}, fallible=False, in_total=False)
    whole = Summaries({Series(HTTP, ""): Summary(100, 3, 10), Series(OTHER, "kept"): trend})
    rate = whole.measure(parse_selector("errors"), "error_rate", 0.95)
    assert rate is not None and (rate.value, rate.samples) == (0.03, 100)
    assert whole.measure(parse_selector("other"), "error_rate", 0.95) is None
    assert whole.measure(parse_selector("other"), "apdex(100ms)", 0.95) is None
