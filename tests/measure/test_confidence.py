"""Intervals against known truth: how often they contain it, and against published tables."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbz.measure.budget.measuring import Measurements, measure
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.confidence import (
    effective_count,
    effective_length,
    mean_half_width,
    normal_quantile,
    rank_interval,
    share_interval,
)
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, Series
from dbz.measure.student import t_quantile, t_two_sided
from tests.whole import some

OF, HTTP_SERIES = parse_selector("http"), Series(HTTP, "GET /")


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (30, 2.042), (1000, 1.962)]
)
def test_t_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom, 0.95) == pytest.approx(quantile, abs=0.0005)
    assert t_two_sided(t_quantile(freedom, 0.95), freedom) == pytest.approx(0.05, abs=1e-6)


def test_ranks_are_those_of_the_tables() -> None:
    # Conover, table A6 and exact binomial tails: the median of 20 lies between ranks 6 and 15 with 95.9 %.
    assert rank_interval(20, 50, 0.95) == (6, 15)
    # 0.95 ** 72 is 2.5 %: from 72 samples on the largest one is an upper bound of the p95; before, none is.
    assert [rank_interval(count, 95, 0.95)[1] for count in (71, 72)] == [71 + 1, 72]
    assert rank_interval(3, 99, 0.95)[1] == 3 + 1


@example(13, 98.0, 1.0)
@given(st.integers(1, 10**6), st.floats(0.1, 99.99), st.floats(1, 10**6))
def test_ranks_are_in_order_and_fewer_independent_samples_say_less(count: int, percent: float, worth: float) -> None:
    low, high = rank_interval(count, percent, 0.95)
    assert 0 <= low <= high <= count + 1
    few_low, few_high = rank_interval(count, percent, 0.95, worth)
    assert few_low <= low + 1 and high <= few_high + 1


@given(st.integers(1, 10**5), st.floats(0, 1))
def test_the_interval_of_a_share_contains_it(count: int, share: float) -> None:
    hits = round(share * count)
    low, high = share_interval(hits, count, 0.95)
    assert 0 <= low <= hits / count + 1e-12 and hits / count - 1e-12 <= high <= 1
    assert (low == 0 or hits > 0) and (high == 1 or hits < count), "no rounding error at either end"


def run_of(random: Random, *, seconds: int, per_s: int, stalls: float) -> Measurements:
    """Log-normal latencies; each second may be slow as a whole by a random factor."""
    blocks = []
    for _ in range(seconds):
        slower = math.exp(stalls * random.gauss(0, 1))
        ok = Histogram()
        for _ in range(per_s):
            ok.record(round(20_000 * slower * math.exp(0.5 * random.gauss(0, 1))))
        blocks.append({HTTP_SERIES: Latency(ok, Histogram())})
    whole = Latency(Histogram(), Histogram())
    for block in blocks:
        whole.ok.add(block[HTTP_SERIES].ok)
    return Measurements(seconds=seconds, latencies={HTTP_SERIES: whole}, blocks=blocks)


@pytest.mark.parametrize(
    ("stat", "stalls", "per_s"), some([("p50", 0.0, 20), ("p95", 0.0, 20), ("p95", 0.3, 20), ("mean", 0.3, 10)], 2)
)
def test_the_95_percent_interval_contains_the_truth_in_93_to_97_percent_of_runs(
    stat: str, stalls: float, per_s: int
) -> None:
    spread = math.hypot(0.5, stalls)
    z95 = 1.6448536
    truth_ms = {"p50": 20.0, "p95": 20 * math.exp(z95 * spread), "mean": 20 * math.exp(spread**2 / 2)}[stat]
    random, runs = Random(7), 600
    inside = 0
    for _ in range(runs):
        measured = measure(OF, stat, run_of(random, seconds=60, per_s=per_s, stalls=stalls))
        assert measured is not None and measured.low is not None and measured.high is not None
        inside += measured.low <= truth_ms <= measured.high
    assert 0.93 <= inside / runs <= 0.97


def test_without_regard_to_stalls_an_interval_would_be_far_too_sure() -> None:
    random, truth_ms, inside = Random(8), 20 * math.exp(1.6448536 * math.hypot(0.5, 0.3)), 0
    for _ in range(100):
        run = run_of(random, seconds=60, per_s=20, stalls=0.3)
        measured = measure(OF, "p95", Measurements(seconds=60, latencies=run.latencies))
        assert measured is not None and measured.low is not None and measured.high is not None
        inside += measured.low <= truth_ms <= measured.high
    assert inside < 90


def test_the_interval_of_a_share_contains_the_truth_as_often_as_it_says() -> None:
    random, inside = Random(9), 0
    for _ in range(1000):
        low, high = share_interval(sum(random.random() < 0.02 for _ in range(1000)), 1000, 0.95)
        inside += low <= 0.02 <= high
    assert 0.93 <= inside / 1000 <= 0.97


def test_equal_blocks_are_worth_what_they_count_and_unequal_ones_less() -> None:
    assert effective_count([(100, 5)] * 60, 0.95) == 6000
    assert effective_count([(100, 0)] * 57 + [(100, 100)] * 3, 0.95) < 100
    assert effective_count([(100, 0)] * 60, 0.95) == 6000


def test_a_mean_of_one_block_is_not_known() -> None:
    assert math.isinf(mean_half_width([(10, 50.0)], 0.95))
    assert mean_half_width([(10, 50.0)] * 2, 0.95) == 0


def test_gauges_that_change_slowly_are_worth_few_samples() -> None:
    random = Random(1)
    noise = [random.gauss(0, 1) for _ in range(200)]
    drift = [sum(noise[:at]) for at in range(200)]
    assert effective_length(noise) > 120
    assert effective_length(drift) < 20
    assert effective_length([5.0] * 50) == 50


def test_the_normal_quantile_is_the_one_everybody_knows() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.96, abs=0.001)
