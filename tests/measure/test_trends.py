"""Trends and changes of series: what is there is found where it is, and noise with a memory is not taken for either."""

from __future__ import annotations

import math
import random

import pytest

from dbz.measure.trends.changes import changes_of
from dbz.measure.trends.correlation import lag_one, robust_correlation, without_spikes
from dbz.measure.trends.daily import changes_beside_days
from dbz.measure.trends.placing import place_of_step
from dbz.measure.trends.season import DAY_S, without_days
from dbz.measure.trends.trend import LEAST_VALUES, trend_of


def noise(chance: random.Random, count: int, correlation: float) -> list[float]:
    """AR(1) noise of standard deviation 1."""
    values, value = [], chance.gauss(0, 1)
    for _ in range(count):
        values.append(value)
        value = correlation * value + chance.gauss(0, 1) * math.sqrt(1 - correlation**2)
    return values


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_noise_seldom_has_a_trend_or_a_change(correlation: float) -> None:
    chance = random.Random(18)
    rows = [noise(chance, 60, correlation) for _ in range(200)]
    trends = [trend_of(range(60), row) for row in rows]
    assert sum(trend is not None and trend.p < 0.05 for trend in trends) < 10, "five of a hundred"
    assert sum(bool(changes_of(row)) for row in rows) < 10


def test_the_interval_of_a_slope_has_it_nearly_always() -> None:
    chance = random.Random(7)
    inside = 0
    for _ in range(100):
        values = [0.05 * at + value for at, value in enumerate(noise(chance, 60, 0.5))]
        trend = trend_of(range(60), values)
        assert trend is not None
        inside += trend.low <= 0.05 <= trend.high
    assert inside >= 93


def test_a_line_comes_out_as_it_is_whatever_stands_out() -> None:
    values = [3.0 + 2.0 * at for at in range(40)]
    values[7], values[30] = 500.0, -300.0
    trend = trend_of(range(40), values)
    assert trend is not None and trend.slope == pytest.approx(2.0) and trend.at_zero == pytest.approx(3.0)
    assert trend_of(range(LEAST_VALUES - 1), values[: LEAST_VALUES - 1]) is None
    flat = trend_of(range(40), [5.0] * 40)
    assert flat is not None and flat.slope == 0 and not flat.is_clear


def test_times_with_gaps_count_as_they_are() -> None:
    times = [*range(20), *range(60, 80)]
    trend = trend_of(times, [0.5 * t for t in times])
    assert trend is not None and trend.slope == pytest.approx(0.5)


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_new_levels_are_found_where_they_begin(correlation: float) -> None:
    chance = random.Random(5)
    exact = 0
    for _ in range(20):
        levels = [10.0] * 70 + [15.0] * 50 + [8.0] * 60
        values = [level + value for level, value in zip(levels, noise(chance, 180, correlation), strict=True)]
        found = changes_of(values)
        exact += len(found) == 2 and abs(found[0].index - 70) <= 2 and abs(found[1].index - 120) <= 2
        if len(found) == 2:
            assert found[0].before == pytest.approx(10, abs=1.5) and found[1].after == pytest.approx(8, abs=1.5)
    assert exact >= 18


def test_spikes_and_lines_are_no_new_levels() -> None:
    chance = random.Random(3)
    for _ in range(20):
        values = noise(chance, 150, 0.3)
        values[40] += 30
        values[90] -= 20
        values[91] -= 20
        assert changes_of(values) == []
        assert changes_of([0.1 * at + value for at, value in enumerate(noise(chance, 150, 0.2))]) == []


def test_without_noise_only_what_changes_is_a_change() -> None:
    assert changes_of([5.0] * 100) == []
    assert [one.index for one in changes_of([5.0] * 60 + [6.0] * 40)] == [60]
    assert changes_of([1.0] * 10) == []


def test_correlation_is_known_beside_new_levels() -> None:
    chance = random.Random(9)
    values = noise(chance, 2000, 0.6)
    stepped = [value + 20 * (at // 400) for at, value in enumerate(values)]
    assert robust_correlation(stepped) == pytest.approx(0.6, abs=0.1)
    assert lag_one(values, 1) == pytest.approx(0.6, abs=0.1)
    assert robust_correlation([1.0] * 9) == 0 == lag_one([0.0] * 9, 1)
    assert max(without_spikes([0.0, 1, 0, 1, 90, 1, 0, 1, 0])) < 90


def test_what_belongs_to_every_day_is_taken_away() -> None:
    step = 3600
    times = [at * step for at in range(24 * 7)]
    daily = [100 + 30 * math.sin(t / DAY_S * 2 * math.pi) for t in times]
    assert max(without_days(times, daily, step)) - min(without_days(times, daily, step)) < 1e-9
    leak = [value + t / DAY_S for t, value in zip(times, daily, strict=True)]
    trend = trend_of([t / DAY_S for t in times], without_days(times, leak, step))
    assert trend is not None and trend.slope == pytest.approx(1.0, abs=0.1) and trend.is_clear
    assert without_days(times[:30], daily[:30], step) == daily[:30], "of one day nobody knows what is usual"


@pytest.mark.parametrize("swing", [0.0, 3.0])
def test_levels_of_a_few_days_and_days_themselves_are_told_apart(swing: float) -> None:
    chance, step = random.Random(11), 3600
    times = [at * step for at in range(24 * 7)]
    for begin, end in ((42, 127), (45, 123), (60, 130)):  # about half of the week: the median day has a part of it
        shape = [swing * math.sin(t / DAY_S * 2 * math.pi) + (5.0 if begin <= at < end else 0.0)
                 for at, t in enumerate(times)]  # fmt: skip
        values = [level + value for level, value in zip(shape, noise(chance, len(times), 0.3), strict=True)]
        found = changes_beside_days(times, values, step)
        assert [one.index for one in found.changes] == pytest.approx([begin, end], abs=1)
        assert found.changes[0].after - found.changes[0].before == pytest.approx(5, abs=1)
        assert len(found.values) == len(values)
    assert changes_beside_days(times[:30], [1.0] * 30, step).changes == []


def test_a_level_begins_where_its_jump_is() -> None:
    chance = random.Random(2)
    placed, levels_alone = 0, 0
    for _ in range(50):
        values = [(4.0 if at >= 60 else 0.0) + value for at, value in enumerate(noise(chance, 120, 0.8))]
        placed += place_of_step(values, 0.8, 40, 80) == 60
        levels_alone += place_of_step(values, 0.0, 40, 80) == 60
    assert placed >= 45 and placed > levels_alone
