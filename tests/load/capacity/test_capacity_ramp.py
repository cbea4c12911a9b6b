"""The rate at which a target falls behind, seen while arrivals come faster and faster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.capacity.ramp import DOUBLING_S, RampSecond, bounds_from, knee_per_s, plan_ramp
from dbz.load.capacity.search import Bounds
from tests.load.capacity.test_capacity import planned


def ramped(limit_per_s: float, first: float, doublings: int, requests: int, *, refuses: bool) -> list[RampSecond]:
    """What is seen of a target that answers `limit_per_s` requests a second, and queues or refuses what is beyond."""
    seconds, queue = [], 0.0
    for second in range(round(doublings * DOUBLING_S)):
        begun = first * 2 ** ((second + 0.5) / DOUBLING_S)
        asked = begun * requests
        answered = min(queue + asked, limit_per_s)
        failed = max(queue + asked - limit_per_s, 0.0) if refuses else 0.0
        queue += asked - answered - failed
        seconds.append(RampSecond(round(begun), round(queue), round(answered), round(failed)))
    return seconds


@given(limit_per_s=st.floats(200, 5000), first=st.floats(10, 50), requests=st.integers(1, 4), refuses=st.booleans())
def test_the_knee_is_about_what_the_target_can_do(
    limit_per_s: float, first: float, requests: int, refuses: bool
) -> None:
    knee = knee_per_s(ramped(limit_per_s, first, 12, requests, refuses=refuses))
    assert knee == pytest.approx(limit_per_s / requests, rel=0.1)


@given(first=st.floats(10, 50), doublings=st.integers(1, 6))
def test_a_target_that_keeps_up_has_none(first: float, doublings: int) -> None:
    assert knee_per_s(ramped(1e6, first, doublings, 1, refuses=False)) is None


def test_one_pause_is_no_knee() -> None:
    steady = [RampSecond(100, 1, 100)] * 5
    pause, catching_up = RampSecond(100, 90, 10), RampSecond(100, 1, 190)
    assert knee_per_s([*steady, pause, catching_up, *steady]) is None
    assert knee_per_s([*steady, pause, pause]) == pytest.approx(10, rel=0.01)


@given(start=st.integers(1, 500), more=st.integers(0, 20_000), knee=st.none() | st.floats(0, 40_000))
def test_the_search_begins_below_the_knee_and_within_its_bounds(start: int, more: int, knee: float | None) -> None:
    bounds = bounds_from(Bounds(start, start + more), knee)
    assert bounds.lowest <= bounds.start <= bounds.highest == start + more
    assert knee is None or bounds.start <= max(knee, 1)


def test_the_rate_doubles_up_to_the_highest() -> None:
    profile = plan_ramp(planned(highest=900, rate="100/s")).profile
    assert profile.rate == 13 and [stage.to for stage in profile.stages] == [26, 52, 104, 208, 416, 832, 900]
    assert {stage.over for stage in profile.stages} == {DOUBLING_S}
