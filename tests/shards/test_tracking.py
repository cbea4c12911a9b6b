"""Where a rebalance stands, and how long it will take, by a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.shards.journal import Move, State
from dbz.shards.move.forecast import Meter, MoveForecast, Step
from dbz.shards.move.progress import MovePhase, MoveTracker
from dbz.shards.move.throttle import Slowed
from dbz.shards.plan.cost import Load

FIRST = Move("m0001", "club01", "shard_0", "shard_2", 100, 10_000_000)
SECOND = Move("m0002", "club02", "shard_1", "shard_2", 300, 30_000_000)


class Scene:
    """A tracker and its clock."""

    def __init__(self, *moves: Move) -> None:
        self.now = 0.0
        self.tracker = MoveTracker(lambda: self.now)
        self.tracker.begin(moves)

    def enter(self, move: Move, phase: MovePhase) -> None:
        self.move = move
        self.tracker.enter(move, phase)

    def moved(self, size_bytes: int, seconds: float) -> None:
        self.now += seconds
        self.tracker.moved(self.move, "posts", size_bytes // 100_000, size_bytes)

    def finish(self, move: Move) -> None:
        """Copy at 1 MB/s, compare both sides at 2 MB/s, switch within a second."""
        self.enter(move, MovePhase.COPYING)
        for _ in range(move.bytes // 1_000_000):
            self.moved(1_000_000, 1.0)
        self.enter(move, MovePhase.VERIFYING)
        for _ in range(move.bytes // 1_000_000):
            self.moved(2_000_000, 1.0)
        self.enter(move, MovePhase.SWITCHING)
        self.now += 1.0
        self.tracker.ended(replace(move, state=State.REVERSING, block_ms=20.0))


def test_time_left_is_told_for_the_move_in_hand_and_for_all() -> None:
    scene = Scene(FIRST, SECOND)
    scene.enter(FIRST, MovePhase.CHECKING)
    assert scene.tracker.standing().left_s is None, "nothing is known yet"
    scene.finish(FIRST)
    scene.enter(SECOND, MovePhase.COPYING)
    scene.moved(1_000_000, 1.0)
    now = scene.tracker.standing()
    assert now.current is not None and now.current.left_s == pytest.approx(29 + 30 + 1, rel=0.01)
    assert (now.done, now.moves, now.bytes_done, now.bytes_total) == (1, 2, 11_000_000, 40_000_000)
    assert now.left_s == pytest.approx(now.current.left_s)
    scene.enter(SECOND, MovePhase.VERIFYING)
    scene.moved(20_000_000, 10.0)
    assert scene.tracker.standing().left_s == pytest.approx(21, rel=0.05)


def test_the_whole_estimate_holds_when_nothing_changes() -> None:
    moves = [replace(FIRST, id=f"m{number}", club=f"club{number}") for number in range(5)]
    scene = Scene(*moves)
    scene.finish(moves[0])
    estimated = scene.tracker.standing().left_s
    begin = scene.now
    for move in moves[1:]:
        scene.finish(move)
    assert estimated == pytest.approx(scene.now - begin, rel=0.01)
    assert scene.tracker.standing().left_s == 0.0


def test_a_move_that_was_begun_before_counts_what_is_copied_already() -> None:
    scene = Scene(replace(FIRST, copied_bytes=4_000_000))
    scene.enter(replace(FIRST, copied_bytes=4_000_000), MovePhase.COPYING)
    scene.moved(1_000_000, 1.0)
    now = scene.tracker.standing()
    assert now.current is not None
    assert (now.bytes_done, now.current.bytes_done, now.current.bytes_total) == (5_000_000, 5_000_000, 10_000_000)
    scene.enter(FIRST, MovePhase.COPYING)
    assert scene.tracker.standing().bytes_done == 0, "the copy began again"


def test_lag_grows_until_the_target_has_everything() -> None:
    scene = Scene(FIRST)
    scene.enter(FIRST, MovePhase.COPYING)
    scene.tracker.lagging(FIRST, 3, scene.now)
    scene.now += 7.0
    current = scene.tracker.standing().current
    assert current is not None and (current.lag_changes, current.lag_s) == (3, 7.0)
    scene.tracker.lagging(FIRST, 0, scene.now)
    current = scene.tracker.standing().current
    assert current is not None and (current.lag_changes, current.lag_s) == (0, 0.0)


def test_waiting_for_the_window_does_not_count_for_the_speed() -> None:
    scene = Scene(FIRST)
    scene.enter(FIRST, MovePhase.COPYING)
    scene.moved(1_000_000, 1.0)
    with scene.tracker.waiting(FIRST):
        scene.now += 3600.0
        current = scene.tracker.standing().current
        assert current is not None and current.phase == MovePhase.WAITING
    scene.moved(1_000_000, 1.0)
    assert scene.tracker.standing().copy_bytes_per_s == pytest.approx(1_000_000, rel=0.01)


def test_time_that_copying_gave_way_is_added_up() -> None:
    scene = Scene(FIRST)
    slowed = Slowed(1e6, "shard_2", 14.0, 4.0, 9.0)
    scene.tracker.throttled(slowed)
    scene.now += 5.0
    assert (scene.tracker.standing().slowed, scene.tracker.standing().slowed_s) == (slowed, 5.0)
    scene.tracker.throttled(None)
    scene.now += 5.0
    assert (scene.tracker.standing().slowed, scene.tracker.standing().slowed_s) == (None, 5.0)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.floats(0.001, 1000)), min_size=1))
def test_a_speed_lies_between_the_slowest_and_the_fastest_that_was_measured(measured: list[tuple[int, float]]) -> None:
    meter = Meter()
    for size_bytes, seconds in measured:
        meter.add(size_bytes, seconds)
    speeds = [size_bytes / seconds for size_bytes, seconds in measured]
    assert meter.per_s is not None
    assert min(speeds) * 0.999 <= meter.per_s <= max(speeds) * 1.001


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 1000))
def test_more_to_do_never_takes_less_time(to_copy: int, to_compare: int, moves: int) -> None:
    forecast = MoveForecast()
    forecast.add(Step.COPY, "posts", Load(1000, 1_000_000), 1.0)
    forecast.finished(2.0)
    less = forecast.left_s({"posts": Load(0, to_copy)}, {"posts": Load(0, to_compare)}, moves)
    more = forecast.left_s({"posts": Load(0, to_copy + 1000)}, {"posts": Load(0, to_compare + 1000)}, moves + 1)
    assert less is not None and more is not None and 0 <= less < more
