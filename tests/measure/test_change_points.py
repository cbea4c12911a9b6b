"""Change points against an exhaustive search, and against known truth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.compare.change_points import change_points, segment


def cost(values: Sequence[float], bounds: Sequence[int], penalty: float) -> float:
    total = penalty * (len(bounds) - 2)
    for begin, end in itertools.pairwise(bounds):
        mean = sum(values[begin:end]) / (end - begin)
        total += sum((value - mean) ** 2 for value in values[begin:end])
    return total


def least_cost(values: Sequence[float], penalty: float, shortest: int) -> float:
    """The cost of the best of all segmentations."""
    costs = []
    for count in range(len(values) // shortest):
        for found in itertools.combinations(range(1, len(values)), count):
            bounds = [0, *found, len(values)]
            if all(end - begin >= shortest for begin, end in itertools.pairwise(bounds)):
                costs.append(cost(values, bounds, penalty))
    return min(costs)


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 5.0, 5.2]), min_size=3, max_size=9),
    st.sampled_from([0.01, 0.5, 3.0]),
    st.integers(1, 3),
)
def test_no_segmentation_costs_less(values: list[float], penalty: float, shortest: int) -> None:
    found = segment(values, penalty, shortest)
    bounds = [0, *found, len(values)]
    assert all(end - begin >= shortest for begin, end in itertools.pairwise(bounds))
    assert cost(values, bounds, penalty) == pytest.approx(least_cost(values, penalty, shortest), abs=1e-9)


def noisy(random: Random, levels: Sequence[tuple[float, int]], noise: float = 0.03) -> list[float]:
    return [level + random.gauss(0, noise) for level, count in levels for _ in range(count)]


def test_a_history_without_a_change_has_a_false_one_in_less_than_5_percent() -> None:
    random = Random(1)
    alarms = sum(bool(change_points(noisy(random, [(0.0, 20)]))) for _ in range(400))
    assert alarms < 20


def test_a_change_of_10_percent_is_found_where_it_was() -> None:
    random = Random(2)
    found = [change_points(noisy(random, [(0.0, 15), (0.1, 15)])) for _ in range(200)]
    assert sum(len(one) == 1 and abs(one[0] - 15) <= 1 for one in found) > 180


def test_two_changes_are_told_apart() -> None:
    assert change_points(noisy(Random(3), [(0.0, 10), (0.4, 10), (0.1, 10)])) == [10, 20]


def test_one_slow_run_is_no_change() -> None:
    values = noisy(Random(4), [(0.0, 12)])
    values[6] += 1.0
    assert change_points(values) == []


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [1.0] * 50])
def test_short_and_constant_histories_have_none(values: list[float]) -> None:
    assert change_points(values) == []
