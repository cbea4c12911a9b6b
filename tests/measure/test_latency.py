"""Latency in which failures never look good, and durations counted in buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram

durations = st.lists(st.integers(1, 2_000_000), max_size=30)


def histogram(values_us: list[int]) -> Histogram:
    whole = Histogram()
    for value in values_us:
        whole.record(value)
    return whole


def latency(ok: list[int], failed: list[int]) -> Latency:
    return Latency(histogram(ok), histogram(failed))


def test_a_percentile_that_falls_on_failures_is_infinite() -> None:
    some_failed = latency([1_000] * 94, [10] * 6)
    assert some_failed.percentile_ms(94) == 1.0
    assert some_failed.percentile_ms(95) == math.inf
    assert some_failed.error_rate == pytest.approx(0.06)


def test_a_fast_failure_leaves_the_mean_alone_and_a_slow_one_raises_it() -> None:
    assert latency([10_000] * 10, [1]).mean_ms() == pytest.approx(10, rel=0.001)
    assert latency([10_000] * 10, [120_000]).mean_ms() == pytest.approx(20, rel=0.001)


def test_many_fast_failures_do_not_dilute_a_slow_one() -> None:
    slow = latency([10_000] * 10, [120_000]).mean_ms()
    assert latency([10_000] * 10, [120_000] + [1] * 1000).mean_ms() == pytest.approx(slow)


def test_when_everything_failed_no_latency_is_good() -> None:
    refused = latency([], [900] * 50)
    assert (refused.mean_ms(), refused.percentile_ms(1)) == (math.inf, math.inf)
    assert refused.max_ms == pytest.approx(0.9)


def test_nothing_attempted_is_zero() -> None:
    nothing = Latency()
    assert (nothing.count, nothing.mean_ms(), nothing.percentile_ms(95), nothing.error_rate) == (0, 0.0, 0.0, 0.0)


@given(durations, durations, durations, st.floats(1, 100))
def test_more_failures_never_improve_a_figure(ok: list[int], failed: list[int], more: list[int], p: float) -> None:
    before, after = latency(ok, failed), latency(ok, failed + more)
    if before.count:
        assert after.percentile_ms(p) >= before.percentile_ms(p)
        assert after.mean_ms() >= before.mean_ms() * (1 - 1e-9)
        assert after.max_ms >= before.max_ms
        assert after.error_rate >= before.error_rate


@given(st.lists(st.tuples(durations, durations), max_size=4))
def test_combining_equals_recording_all_in_one(parts: list[tuple[list[int], list[int]]]) -> None:
    whole = combined(latency(ok, failed) for ok, failed in parts)
    assert whole == latency([us for ok, _ in parts for us in ok], [us for _, failed in parts for us in failed])


def test_a_bucket_percentile_is_linear_within_its_bucket() -> None:
    buckets = Buckets({0.1: 50, 0.2: 50}, sum_s=12.0)
    assert buckets.percentile_ms(50) == pytest.approx(100)
    assert buckets.percentile_ms(75) == pytest.approx(150)
    assert buckets.mean_ms() == pytest.approx(120)


def test_a_percentile_in_the_bucket_without_a_bound_is_infinite() -> None:
    assert Buckets({0.1: 90, math.inf: 10}).percentile_ms(95) == math.inf


@given(st.lists(st.dictionaries(st.sampled_from([0.01, 0.1, 1.0]), st.integers(1, 9)), max_size=5))
def test_adding_buckets_keeps_every_count(parts: list[dict[float, int]]) -> None:
    whole = Buckets()
    for part in parts:
        whole.add(part, sum_s=1.0)
    assert whole.count == sum(sum(part.values()) for part in parts)
    assert whole.sum_s == len(parts)


def test_no_durations_are_zero() -> None:
    assert (Buckets().percentile_ms(95), Buckets().mean_ms(), Buckets().count) == (0.0, 0.0, 0)
