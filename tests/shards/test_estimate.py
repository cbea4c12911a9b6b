"""Estimates against recorded moves of real stores, and against movers that give way at random: within a factor of 2."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.shards.journal import Move, State
from dbz.shards.move.progress import MovePhase, MoveTracker
from dbz.shards.move.throttle import Slowed
from dbz.shards.plan.cost import CopyCost, Load, in_all, shared_out
from dbz.shards.plan.document import PlannedMove
from dbz.shards.plan.estimate import MoveCosts
from tests.shards.recordings import Recording, load

RECORDED = load()
IN_TIME = [one for one in RECORDED if not one.slowed_s]
"""Moves beside which the shards answered in time, from the first to the last."""
UNHURRIED = [one for one in RECORDED if one.slowed_s < 0.5 * one.events[-1][0]]
"""Moves that gave way to the app for less than half of their time: how late shards will answer, no plan can know."""
FACTOR = 2.0
SLOWED_FACTOR = 2.5
_SETTLED = 0.1
_NEAR_THE_END = 0.15


def within(estimated_s: float, taken_s: float, factor: float = FACTOR) -> bool:
    return taken_s / factor <= estimated_s <= taken_s * factor


@pytest.mark.parametrize("recorded", UNHURRIED, ids=lambda one: one.kind)
def test_a_plan_that_only_read_a_sample_tells_the_time_within_a_factor_of_two(recorded: Recording) -> None:
    estimated_s, _ = MoveCosts(recorded.unit_s).seconds(recorded.planned, recorded.mixes, recorded.rate_bytes_per_s)
    assert within(estimated_s, recorded.events[-1][0]), (estimated_s, recorded.events[-1][0])


def remaining(recorded: Recording) -> list[tuple[float, float | None, float]]:
    """(share of the time that has passed, seconds left as told, seconds that it really took) after each event."""
    now = [0.0]
    tracker = MoveTracker(lambda: now[0])
    moves = {move.id: move for move in recorded.moves()}
    cost = CopyCost(limit_bytes_per_s=recorded.rate_bytes_per_s)
    tracker.begin(list(moves.values()), cost=cost, mixes=recorded.mixes)
    whole_s, found = recorded.events[-1][0], []
    for event in recorded.events:
        now[0] = event[0]
        recorded.replay(tracker, moves, event)
        found.append((now[0] / whole_s, tracker.standing().left_s, whole_s - now[0]))
    assert tracker.costs() is not None
    return found


@pytest.mark.parametrize("recorded", IN_TIME, ids=lambda one: one.kind)
def test_the_time_left_stays_within_a_factor_of_two(recorded: Recording) -> None:
    """In 85 of 100 moments; the first tenth, and the last seconds, have too little behind or before them."""
    told = [(left_s, real_s) for share, left_s, real_s in remaining(recorded) if _SETTLED < share < 1 - _NEAR_THE_END]
    good = sum(left_s is not None and within(left_s, real_s) for left_s, real_s in told)
    assert len(told) > 20 and good >= 0.85 * len(told), (good, len(told))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one.kind)
def test_the_time_left_adapts_to_shards_that_become_slower(recorded: Recording) -> None:
    """In the second half, also where copying gave way for most of the time."""
    told = [(left_s, real_s) for share, left_s, real_s in remaining(recorded) if 0.5 < share < 1 - _NEAR_THE_END]
    good = sum(left_s is not None and within(left_s, real_s, SLOWED_FACTOR) for left_s, real_s in told)
    assert len(told) > 10 and good >= 0.9 * len(told), (good, len(told))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one.kind)
def test_the_next_plan_knows_how_it_went(recorded: Recording) -> None:
    """The costs that a rebalance leaves behind reckon the same moves nearly as they were."""
    now = [0.0]
    tracker = MoveTracker(lambda: now[0])
    moves = {move.id: move for move in recorded.moves()}
    tracker.begin(
        list(moves.values()), cost=CopyCost(limit_bytes_per_s=recorded.rate_bytes_per_s), mixes=recorded.mixes
    )
    for event in recorded.events:
        now[0] = event[0]
        recorded.replay(tracker, moves, event)
    costs = tracker.costs()
    assert costs is not None and costs.measured
    estimated_s, _ = costs.seconds(recorded.planned, recorded.mixes, recorded.rate_bytes_per_s)
    assert within(estimated_s, recorded.events[-1][0])


class Ebb:
    """A mover that gives way to an app at random, and goes on at random: as often, and as much, from begin to end."""

    def __init__(self, numbers: random.Random, share: float, slow: float, cycle_s: float) -> None:
        self._numbers, self._slow, self._rest_s = numbers, slow, 0.0
        self._mean_s = {True: share * cycle_s, False: (1 - share) * cycle_s}
        self._slowed = numbers.random() < share

    def seconds(self, work_s: float) -> float:
        """How long work takes that would take so long at full speed."""
        took_s = 0.0
        while work_s > 1e-12:
            if self._rest_s <= 0:
                self._slowed = not self._slowed
                self._rest_s = self._numbers.expovariate(1 / self._mean_s[self._slowed])
            speed = self._slow if self._slowed else 1.0
            step_s = min(self._rest_s, work_s / speed)
            took_s, work_s, self._rest_s = took_s + step_s, work_s - step_s * speed, self._rest_s - step_s
        return took_s


def told_after_a_quarter(
    seed: int, share: float, slow: float, cycle_s: float, cycles: int, clubs: int
) -> tuple[float, tuple[float, float], float]:
    """(seconds left, their range, what it really took) once a quarter of the work of a stationary move is done."""
    numbers = random.Random(seed)
    ebb, rate, size = Ebb(numbers, share, slow, cycle_s), 1e6, 2000
    machine = numbers.uniform(0.5, 3)  # as much slower than the plan reckons
    whole_s = cycles * cycle_s * (1 - share + share * slow) / machine
    docs = max(60, round(whole_s * rate / size / 3 / clubs))
    cost, now, work = CopyCost(limit_bytes_per_s=rate), [0.0], 3 * docs * clubs
    tracker = MoveTracker(lambda: now[0])
    moves = [Move(f"m{at}", f"c{at}", "a", "b", docs, docs * size) for at in range(clubs)]
    tracker.begin(moves, cost=cost, mixes={"a": {"posts": Load(work / 3, work / 3 * size, 1)}})
    tracker.throttled(Slowed(rate / 2, "a", 20.0, 5.0, 10.0))
    done, told, told_at_s = 0, None, 0.0
    for move in moves:
        for phase, times, reckoned in (
            (MovePhase.COPYING, 1, cost.copy_s), (MovePhase.VERIFYING, 2, cost.compare_s)
        ):  # fmt: skip
            tracker.enter(move, phase)
            for begin in range(0, docs * times, 100):
                batch = min(100, docs * times - begin)
                now[0] += ebb.seconds(reckoned(Load(batch, batch * size, 1)) * machine)
                tracker.moved(move, "posts", batch, batch * size)
                done += batch
                if told is None and done >= work / 4:
                    told, told_at_s = tracker.standing(), now[0]
        tracker.ended(replace(move, state=State.REVERSING))
    assert told is not None and told.left_s is not None and told.left_between_s is not None
    return told.left_s, told.left_between_s, now[0] - told_at_s


def movers() -> list[tuple[int, float, float, float, int, int]]:
    """120 of them, most of which give way most of the time, down to the least rate that copying ever has."""
    numbers = random.Random(11)

    def mover(seed: int) -> tuple[int, float, float, float, int, int]:
        share = numbers.choice([numbers.uniform(0.05, 0.95), numbers.uniform(0.8, 0.95)])
        slow, cycle_s = numbers.uniform(0.025, 0.6), numbers.uniform(1, 25)
        return seed, share, slow, cycle_s, numbers.randint(25, 60), numbers.choice([1, 1, 3])

    return [mover(seed) for seed in range(120)]


def test_after_a_quarter_of_the_work_the_time_left_is_within_a_factor_of_two_however_much_copying_gives_way() -> None:
    """Of 100 movers 98; where a quarter is only some six cycles, chance alone makes more than that of the rest."""
    found = [told_after_a_quarter(*one) for one in movers()]
    near = sum(within(left_s, real_s) for left_s, _, real_s in found)
    inside = sum(low_s <= real_s <= high_s for _, (low_s, high_s), real_s in found)
    assert near >= 0.98 * len(found), sorted(left_s / real_s for left_s, _, real_s in found)
    assert inside >= 0.9 * len(found)
    widths = sorted(high_s / low_s for _, (low_s, high_s), _ in found)
    assert widths[len(widths) // 2] < 2.5, "a range that says nothing is always right"


LOADS = st.builds(Load, st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10))
MIXES = st.dictionaries(st.sampled_from("abc"), LOADS)


@settings(deadline=None)
@given(MIXES, st.integers(0, 10**6), st.integers(0, 10**9))
def test_a_club_is_shared_out_without_a_remainder(mix: dict[str, Load], docs: int, size_bytes: int) -> None:
    whole = in_all(shared_out(mix, docs, size_bytes).values())
    assert whole.docs == pytest.approx(docs) and whole.bytes == pytest.approx(size_bytes)


@settings(deadline=None)
@given(LOADS, LOADS, st.floats(1e-7, 1e-2), st.none() | st.floats(1e3, 1e9))
def test_more_documents_bytes_or_indexes_never_take_less_time(
    one: Load, more: Load, unit_s: float, limit: float | None
) -> None:
    cost = CopyCost(unit_s, limit)
    both = Load(one.docs + more.docs, one.bytes + more.bytes, one.indexes + more.indexes)
    assert cost.copy_s(both) >= cost.copy_s(one) and cost.compare_s(both) >= cost.compare_s(one)
    if limit is not None:
        assert cost.copy_s(one) >= one.bytes / limit, "the rate holds"


def test_shards_that_are_met_for_the_first_time_are_looked_at_first() -> None:
    moves = [PlannedMove(club, source, "c", 0, 0) for club, source in (("1", "a"), ("2", "a"), ("3", "b"))]
    fast, slow = (MoveCosts(1e-4, rest_s=1.0).seconds(moves, {}, limit)[0] for limit in (None, 1e6))
    assert (fast, slow) == (3.0, 6.0)
