"""Comparing runs: known truth in, findings out; noise must not be taken for news."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist, median

import pytest

from dbz.measure.budget.measuring import Measurements
from dbz.measure.compare.differences import Change, Difference, compare
from dbz.measure.compare.terms import ComparisonTerms
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, Series
from tests.whole import some

OPERATIONS = 6
QUANTILES = [NormalDist().inv_cdf((at + 0.5) / 100) for at in range(100)]


def histogram(median_ms: float, times: int = 10) -> Histogram:
    """A thousand log-normal latencies without sampling noise: the noise of runs is added by those who call."""
    ok = Histogram()
    for z in QUANTILES:
        ok.record(round(median_ms * 1000 * math.exp(0.4 * z)), times)
    return ok


def run(random: Random, noise: float, slow: dict[int, float] | None = None, failed: int = 0) -> Measurements:
    """A run in which every operation, and the run as a whole, is off by some noise."""
    whole = random.gauss(0, noise / 2)
    latencies = {}
    for at in range(OPERATIONS):
        median_ms = 20 * (1 + at) * (slow or {}).get(at, 1.0) * math.exp(whole + random.gauss(0, noise))
        bad = Histogram()
        bad.record(1000, failed) if failed and at == 0 else None
        latencies[Series(HTTP, f"GET /{at}")] = Latency(histogram(median_ms), bad)
    return Measurements(seconds=30, latencies=latencies)


def runs(random: Random, count: int, noise: float, slow: dict[int, float] | None = None) -> list[Measurements]:
    return [run(random, noise, slow) for _ in range(count)]


def worse(found: list[Difference]) -> set[str]:
    return {one.series.name for one in found if one.verdict is Change.WORSE}


@pytest.mark.parametrize(
    ("base", "new", "noise"),
    some([(1, 1, 0.02), (5, 5, 0.02), (5, 1, 0.05), (1, 1, 0.05), (5, 5, 0.05), (5, 1, 0.02)], 3),
)
def test_equal_code_raises_a_false_alarm_in_less_than_5_percent(base: int, new: int, noise: float) -> None:
    random, alarms = Random(1), 0
    for _ in range(60):
        found = compare(runs(random, base, noise), runs(random, new, noise), ComparisonTerms())
        alarms += any(one.verdict in (Change.WORSE, Change.BETTER) for one in found)
    assert alarms <= 3


@pytest.mark.parametrize(("slower", "noise"), [(1.1, 0.025), (1.15, 0.035)])
def test_five_runs_each_find_a_slowdown_in_over_90_percent(slower: float, noise: float) -> None:
    random, hits, wrong = Random(2), 0, 0
    for _ in range(50):
        found = compare(runs(random, 5, noise), runs(random, 5, noise, {2: slower}), ComparisonTerms())
        hits += "GET /2" in worse(found)
        wrong += len(worse(found) - {"GET /2"})
    assert hits > 45 and wrong <= 3


def disturbed(random: Random, count: int, slow: dict[int, float]) -> list[Measurements]:
    """Runs of which some are slower as a whole, as by a neighbour on the host."""
    factors = [random.choice([1.0, 1.0, 1.0, 1.35]) for _ in range(count)]
    return [run(random, 0.02, {at: factor * slow.get(at, 1.0) for at in range(OPERATIONS)}) for factor in factors]


def test_noise_that_all_operations_share_hides_no_slow_one() -> None:
    random, hits, wrong = Random(13), 0, 0
    for _ in range(40):
        found = compare(disturbed(random, 5, {}), disturbed(random, 5, {2: 1.15}), ComparisonTerms())
        hits += "GET /2" in worse(found)
        wrong += len(worse(found) - {"GET /2"})
    assert hits >= 34 and wrong <= 2


def test_what_stays_as_it_is_while_all_others_become_slower_is_not_faster() -> None:
    random = Random(14)
    slow = {at: 1.3 for at in range(OPERATIONS) if at != 2}
    found = compare(runs(random, 5, 0.01), runs(random, 5, 0.01, slow), ComparisonTerms())
    assert worse(found) == {f"GET /{at}" for at in slow}
    assert not any(one.verdict is Change.BETTER for one in found)


def test_what_is_said_to_be_found_in_nine_of_ten_cases_is() -> None:
    random = Random(11)
    learnt = [
        one.detectable
        for _ in range(20)
        for one in compare(runs(random, 5, 0.04), runs(random, 5, 0.04), ComparisonTerms())
    ]
    typical = median(one for one in learnt if one)
    hits = sum(
        "GET /2" in worse(compare(runs(random, 5, 0.04), runs(random, 5, 0.04, {2: 1 + typical}), ComparisonTerms()))
        for _ in range(50)
    )
    assert 40 <= hits <= 50 and 0.08 < typical < 0.2


def test_a_run_that_something_disturbed_is_no_finding_when_it_is_alone() -> None:
    random = Random(12)
    base = runs(random, 5, 0.005)
    disturbed = runs(random, 1, 0.005, dict.fromkeys(range(OPERATIONS), 1.13))
    assert worse(compare(base, disturbed, ComparisonTerms())) == set()
    assert len(worse(compare(base, disturbed * 5, ComparisonTerms()))) == OPERATIONS


def test_more_noise_finds_less_instead_of_crying_wolf() -> None:
    random, alarms = Random(3), 0
    for _ in range(60):
        alarms += bool(worse(compare(runs(random, 3, 0.25), runs(random, 3, 0.25), ComparisonTerms())))
    assert alarms < 4


def test_the_noise_is_learnt_from_the_runs_of_the_baseline() -> None:
    random = Random(4)
    quiet, loud = (
        [one.noise for one in compare(runs(random, 5, noise), runs(random, 1, noise), ComparisonTerms())]
        for noise in (0.01, 0.1)
    )
    assert max(quiet) < min(loud)


def test_single_runs_need_more_than_the_assumed_noise() -> None:
    random = Random(5)
    base = runs(random, 1, 0.0)
    found = compare(base, runs(random, 1, 0.0, {1: 1.08, 3: 1.4}), ComparisonTerms(noise=0.1))
    assert worse(found) == {"GET /3"}
    assert {one.verdict for one in found if one.series.name == "GET /1"} == {Change.SAME}
    assert "GET /1" in worse(compare(base, runs(random, 1, 0.0, {1: 1.2}), ComparisonTerms(noise=0.0)))
    assert all(one.detectable > 0.3 for one in found if one.detectable and one.stat == "p95")


def test_a_change_below_the_threshold_is_no_finding_however_sure_it_is() -> None:
    random = Random(6)
    base, new = runs(random, 8, 0.002), runs(random, 8, 0.002, {0: 1.04})
    assert worse(compare(base, new, ComparisonTerms(threshold=0.05))) == set()
    assert worse(compare(base, new, ComparisonTerms(threshold=0.02))) == {"GET /0"}


def test_the_effect_and_its_interval_are_those_of_the_truth() -> None:
    random = Random(7)
    found = compare(runs(random, 10, 0.01), runs(random, 10, 0.01, {4: 1.15}), ComparisonTerms())
    (p95,) = (one for one in found if one.series.name == "GET /4" and one.stat == "p95")
    assert p95.low < 0.15 < p95.high and p95.change == pytest.approx(0.15, abs=0.02) and p95.p < 0.001


def test_more_errors_are_found_and_a_few_are_not_an_alarm() -> None:
    random = Random(8)
    base = [run(random, 0.01) for _ in range(3)]
    (errors,) = (
        one
        for one in compare(base, [run(random, 0.01, failed=40) for _ in range(3)], ComparisonTerms())
        if one.stat == "error_rate"
    )
    assert errors.verdict is Change.WORSE and errors.change == pytest.approx(40 / 1040)
    few = compare(base, [run(random, 0.01, failed=1) for _ in range(3)], ComparisonTerms())
    assert not worse(few)


def test_a_percentile_on_failed_attempts_is_not_compared_but_the_errors_are() -> None:
    random = Random(9)
    found = compare(runs(random, 2, 0.01), [run(random, 0.01, failed=300) for _ in range(2)], ComparisonTerms())
    first = {one.stat: one.verdict for one in found if one.series.name == "GET /0"}
    assert first["error_rate"] is Change.WORSE and "p95" not in first


def test_an_operation_of_one_side_only_is_left_out() -> None:
    random = Random(10)
    base, new = run(random, 0.0), run(random, 0.0)
    del new.latencies[Series(HTTP, "GET /5")]
    assert {one.series.name for one in compare([base], [new], ComparisonTerms())} == {f"GET /{at}" for at in range(5)}


def test_an_operation_whose_name_looks_like_a_pattern_is_compared_by_itself() -> None:
    def of(named_ms: float) -> list[Measurements]:
        parts = {"GET /*": histogram(named_ms), "GET /a": histogram(80), "GET /b": histogram(80)}
        latencies = {Series(HTTP, name): Latency(ok, Histogram()) for name, ok in parts.items()}
        return [Measurements(seconds=30, latencies=latencies)] * 5

    found = {(one.series.name, one.stat): one for one in compare(of(10), of(20), ComparisonTerms())}
    assert found["GET /*", "p50"].base == pytest.approx(10, rel=0.01)
    assert found["GET /*", "p50"].new == pytest.approx(20, rel=0.01)
