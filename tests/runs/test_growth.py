"""What becomes slower and slower under the same load is named; noise, stalls and loads that grow are not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, Series
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record
from dbz.runs.validity.growth import growth_notes

SECONDS = 24
WINDOW = Window(start_s=5, end_s=5 + SECONDS)
USERS = [10.0] * SECONDS


def record_of(median_ms: Callable[[int], float], per_s: Callable[[int], int], seed: int = 1) -> Record:
    """A record with samples around this median in each second, log-normal as those of servers are."""
    chance, record = random.Random(seed), Record()
    for second in range(-5, SECONDS):
        histogram = Histogram()
        for _ in range(per_s(second)):
            histogram.record(max(int(median_ms(second) * 1000 * chance.lognormvariate(0, 0.6)), 1))
        record.intervals.append(Interval(Series(HTTP, "GET /a"), WINDOW.start_s + second, 1.0, histogram))
    return record


def steady(_second: int) -> int:
    return 40


@pytest.mark.parametrize(
    ("median_ms", "per_s", "users", "grown"),
    [
        (lambda second: 10 + 1.5 * second, steady, USERS, True),
        (lambda second: 10 + 1.5 * second, lambda second: 60 - second, USERS, True),
        (lambda second: 10, steady, USERS, False),
        (lambda second: 40 - second, steady, USERS, False),
        (lambda second: 400 if 9 < second < 14 else 10, steady, USERS, False),
        (lambda second: 10 + 0.1 * second, steady, USERS, False),
        (lambda second: 0.1 + 0.02 * second, steady, USERS, False),
        (lambda second: 10 + 1.5 * second, lambda second: 40 + 3 * second, USERS, False),
        (lambda second: 10 + 1.5 * second, steady, [5.0 + second for second in range(SECONDS)], False),
        (lambda second: 10 + 1.5 * second, lambda _: 1, USERS, False),
    ],
    ids=["leaks", "leaks, closed", "flat", "warms up", "a stall", "a little", "tiny", "more load", "more users", "few"],
)
def test_only_what_grows_by_itself_is_named(
    median_ms: Callable[[int], float], per_s: Callable[[int], int], users: Sequence[float], grown: bool
) -> None:
    notes = growth_notes(record_of(median_ms, per_s), WINDOW, users)
    assert [note.startswith("GET /a became slower while the load stayed the same") for note in notes] == [True] * grown


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.floats(2, 80), min_size=SECONDS + 5, max_size=SECONDS + 5))
def test_seconds_in_any_order_are_no_growth_unless_they_rise(seed: int, medians: list[float]) -> None:
    """Shuffled, such a run is named only where its blocks happen to rise: never both forwards and backwards."""
    forwards = record_of(lambda second: medians[second], steady, seed)
    backwards = record_of(lambda second: medians[::-1][second], steady, seed)
    named = [growth_notes(one, WINDOW, USERS) for one in (forwards, backwards)]
    assert [] in named


def test_a_short_part_says_nothing() -> None:
    record = record_of(lambda second: 10 + 5 * second, steady)
    assert growth_notes(record, Window(start_s=5, end_s=11), USERS[:6]) == []
    assert growth_notes(Record(), WINDOW, USERS) == [] == growth_notes(record, WINDOW, [])
