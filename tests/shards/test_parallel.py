"""Moves beside each other: which may, that they do, that nothing is lost by it, and what becomes of an error."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.shards.control import Control
from dbz.shards.errors import MoveLeaseLostError, PausedError
from dbz.shards.journal import UNFINISHED, Move, MoveJournal, State
from dbz.shards.move.gang import MoveGang
from dbz.shards.move.pace import Pace
from dbz.shards.move.progress import MoveTracker
from dbz.shards.move.rebalance import abort
from dbz.shards.move.schedule import Parallelism, least_seconds, startable
from dbz.shards.plan.document import PlannedMove
from tests.shards.moves import CLUBS, findings, working
from tests.shards.stores import World
from tests.shards.writers import writing

_WAIT_S = 20.0
SHARDS = st.sampled_from(["shard_0", "shard_1", "shard_2", "shard_3"])
WAYS = st.lists(st.builds(PlannedMove, st.sampled_from("abcdef"), SHARDS, SHARDS, st.just(0), st.just(0)), max_size=30)
ALLOWED = st.builds(Parallelism, st.integers(1, 5), st.integers(1, 3))


@settings(deadline=None)
@given(WAYS, ALLOWED, st.data())
def test_caps_hold_at_every_moment_nobody_waits_without_need_and_all_have_their_turn(
    ways: list[PlannedMove], allowed: Parallelism, data: st.DataObject
) -> None:
    waiting, running, begun = list(enumerate(ways)), list[tuple[int, PlannedMove]](), list[int]()
    while waiting or running:
        for one in startable([way for _, way in waiting], [way for _, way in running], allowed):
            at = next(at for at, (_, way) in enumerate(waiting) if way is one)
            begun.append(waiting[at][0])
            running.append(waiting.pop(at))
        now = [way for _, way in running]
        assert 1 <= len(now) <= allowed.moves and len({way.club for way in now}) == len(now)
        assert max(Counter(way.source for way in now).values()) <= allowed.per_shard
        assert max(Counter(way.target for way in now).values()) <= allowed.per_shard
        assert startable([way for _, way in waiting], now, allowed) == []
        running.pop(data.draw(st.integers(0, len(running) - 1)))
    assert sorted(begun) == list(range(len(ways)))
    for club in {way.club for way in ways}:
        of_club = [at for at in begun if ways[at].club == club]
        assert of_club == sorted(of_club), "moves of a club keep their order"


@settings(deadline=None)
@given(st.lists(st.tuples(WAYS.map(lambda ways: ways[0] if ways else None), st.floats(0, 100))), ALLOWED)
def test_the_least_time_is_below_all_schedules_and_exact_for_one_at_a_time(drawn: Any, allowed: Parallelism) -> None:
    work = [(replace(way, club=str(at)), seconds) for at, (way, seconds) in enumerate(drawn) if way]
    in_all = sum(seconds for _, seconds in work)
    assert least_seconds(work, Parallelism()) == pytest.approx(in_all)
    waiting, running, now = dict(enumerate(work)), dict[int, float](), 0.0
    while waiting or running:
        ways = {at: way for at, (way, _) in waiting.items()}
        for one in startable(ways.values(), [work[at][0] for at in running], allowed):
            at = next(at for at, way in ways.items() if way is one)
            running[at] = now + waiting.pop(at)[1]
        done = min(running, key=lambda at: running[at])
        now = running.pop(done)
    assert least_seconds(work, allowed) <= now + 1e-6


def moves_of(*clubs: str) -> list[Move]:
    return [Move(f"m{at}", club, f"shard_{at}", f"shard_{at + 10}") for at, club in enumerate(clubs)]


def gang(work: Callable[[Move], Move], halt: threading.Event, moves: int = 3) -> MoveGang:
    return MoveGang(work, Parallelism(moves), halt)


def test_the_first_error_halts_the_others_and_is_the_one_that_is_raised() -> None:
    halt, together = threading.Event(), threading.Barrier(3)

    def work(move: Move) -> Move:
        together.wait(_WAIT_S)
        if move.club == "b":
            raise MoveLeaseLostError("taken over", code="H010")
        assert halt.wait(_WAIT_S)
        raise PausedError

    with pytest.raises(MoveLeaseLostError):
        list(gang(work, halt).run(moves_of("a", "b", "c", "d")))
    assert together.n_waiting == 0, "the fourth one was not begun"


def test_who_waits_for_the_moves_may_leave_and_they_are_told() -> None:
    halt = threading.Event()

    def work(move: Move) -> Move:
        if move.club != "a":
            assert halt.wait(_WAIT_S)
        return move

    running = gang(work, halt).run(moves_of("a", "b", "c"))
    assert next(running).club == "a"
    running.close()  # type: ignore[attr-defined]
    assert halt.is_set()


def test_the_rate_and_the_time_of_a_shard_are_those_of_all_moves_together(adopted: World) -> None:
    pace, size = Pace(1e6), 100_000
    begin = time.monotonic()
    threads = [threading.Thread(target=lambda: [pace.rest((), size, 0.0) for _ in range(2)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_WAIT_S)
    assert time.monotonic() - begin >= 6 * size / 1e6 * 0.99

    unhurried = Pace(1e12)
    unhurried._usual_ms = {"shard_0": 1.0, "shard_1": 1.0, "shard_2": 1.0}  # nothing is to be learnt here
    with (
        unhurried.watching(adopted.deployment, "shard_0", "shard_1") as one,
        unhurried.watching(adopted.deployment, "shard_1", "shard_2"),
    ):
        begin = time.monotonic()
        one.rest(1, 0.05)
        assert time.monotonic() - begin >= 0.05 * 7 * 0.99, "an eighth of the time each, where one would have a quarter"


def away(world: World, control: Control) -> list[PlannedMove]:
    """Every club to another shard, so that each shard is source and target."""
    names = ["shard_0", "shard_1", "shard_2"]
    places = {club: control.map().shard_of(club) for club in CLUBS}
    following = {name: names[(at + 1) % 3] for at, name in enumerate(names)}
    return [PlannedMove(club, source, following[source], 60, 10_000) for club, source in places.items()]


def test_clubs_move_beside_each_other_while_the_app_writes(adopted: World) -> None:
    """Two moves stand before their switch at the same time; the hook lets none go on before."""
    together, met, tracker = threading.Barrier(2), list[int](), MoveTracker()

    def hook(when: str, move: Move) -> str:
        if when == "before-switch" and len(met) < 2:
            together.wait(_WAIT_S)
            met.append(len(tracker.standing().in_hand))
        return ""

    with (
        writing(adopted, CLUBS) as ledger,
        working(adopted, parallel=Parallelism(2), hook=hook, tracker=tracker, max_fence_s=5.0) as (
            work,
            control,
            j,
        ),
    ):
        planned = away(adopted, control)
        j.add(planned)
        outcome = work.run()
        assert sorted(move.club for move in outcome.done) == CLUBS and met == [2, 2]
        assert {move.club: control.map().shard_of(move.club) for move in outcome.done} == {
            move.club: move.target for move in planned
        }
        shard_map = control.map()
        assert not shard_map.fenced
    assert ledger.check(adopted, shard_map) == [] and not ledger.refused
    assert findings(adopted) == []
    with working(adopted, parallel=Parallelism(3, 3)) as (work, control, j):
        for move in outcome.done[:3]:
            work.undo(j.get(move.id))
        assert all(move.undoes for move in work.run().done)
        assert {j.get(move.id).state for move in outcome.done[:3]} == {State.ROLLED_BACK}
    assert findings(adopted) == []


def test_a_pause_leaves_all_of_them_resumable_and_cancel_takes_all_back(adopted: World) -> None:
    stopping, together = threading.Event(), threading.Barrier(3, action=lambda: stopping.set())

    def hook(when: str, move: Move) -> str:
        if when == "before-switch" and not stopping.is_set():
            together.wait(_WAIT_S)
        return ""

    allowed = Parallelism(3, 3)
    with working(adopted, parallel=allowed, hook=hook, stop=stopping.is_set) as (work, control, j):
        before = control.map().document()
        j.add(away(adopted, control))
        assert work.run().paused
        begun = [move for move in work.unfinished() if move.state != State.PLANNED]
        assert len(begun) == 3, "three were in hand"
        for move in work.unfinished():
            abort(adopted.deployment, control, j, move, "cancelled")
        assert not work.unfinished() and control.map().document()["clubs"] == before["clubs"]
    assert findings(adopted) == []
    with working(adopted, parallel=allowed) as (work, control, j):
        j.add(away(adopted, control))
        assert len(work.run().done) == len(CLUBS)
    assert findings(adopted) == []
    assert not MoveJournal(adopted.deployment.control).in_states(*UNFINISHED)
