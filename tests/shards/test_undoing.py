"""Back again: rollbacks keep what was written since, cancelled moves leave nothing, old copies go when they may."""

from __future__ import annotations

from typing import Any

import pytest

from dbz.errors import UsageError
from dbz.shards.copies.cleaning import clean, due
from dbz.shards.copies.listing import copies_of
from dbz.shards.copies.verify_copies import Judgement
from dbz.shards.copies.verify_places import Unchecked
from dbz.shards.journal import Move, State
from dbz.shards.map import legacy_map
from dbz.shards.move.rebalance import abort
from dbz.shards.plan.document import PlannedMove
from tests.shards.moves import findings, move_club, working
from tests.shards.stores import World
from tests.shards.writers import writing


def test_a_rollback_keeps_every_write_since(adopted: World) -> None:
    with writing(adopted, ["club00"]) as ledger:
        move = move_club(adopted, "club00", "shard_0", "shard_2")
        there = adopted.deployment.shard("shard_2")["posts"]
        there.update_one({"_id": "club00/000001"}, {"$set": {"text": "changed since"}})
        there.delete_one({"_id": "club00/000002"})
        with working(adopted) as (work, control, journal):
            work.undo(move)
            outcome = work.run()
            shard_map = control.map()
            assert journal.get(move.id).state == State.ROLLED_BACK
    assert not outcome.failed and shard_map.shard_of("club00") == "shard_0"
    posts = adopted.found("club00", "shard_0")["posts"]
    assert posts["club00/000001"]["text"] == "changed since" and "club00/000002" not in posts
    assert ledger.check(adopted, shard_map) == [] and ledger.acknowledged
    assert findings(adopted) == []


def test_a_rollback_copies_only_what_changed_unless_the_history_is_lost(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    adopted.deployment.shard("shard_2")["posts"].update_one({"_id": "club00/000001"}, {"$set": {"text": "since"}})
    seen: list[str] = []
    with working(adopted, told=lambda _move, what: seen.append(what)) as (work, control, journal):
        lost = journal.advance(move, reverse_token={"_data": "00"})
        work.undo(lost)
        assert not work.run().failed
        assert control.map().shard_of("club00") == "shard_0"
    assert any("copying again" in what for what in seen)
    assert adopted.found("club00", "shard_0")["posts"]["club00/000001"]["text"] == "since"
    assert findings(adopted) == []


@pytest.mark.parametrize("steps", [0, 2, 4])
def test_a_cancelled_move_leaves_nothing_behind(adopted: World, steps: int) -> None:
    asked = iter([*[False] * steps, *[True] * 1000])
    with working(adopted, stop=asked.__next__) as (work, control, journal):
        journal.add([PlannedMove("club00", "shard_0", "shard_1", 60, 1)])
        assert work.run().paused
        (left,) = work.unfinished()
        ended = abort(adopted.deployment, control, journal, left, "cancelled")
        assert ended.state == State.ABORTED and control.map().shard_of("club00") == "shard_0"
    assert not any(adopted.found("club00", "shard_1").values())
    assert findings(adopted) == []


def test_cleaning_removes_the_old_copy_and_nothing_else(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    adopted.deployment.shard("shard_2")["posts"].delete_one({"_id": "club00/000003"})
    with working(adopted) as (_, control, journal):
        assert due(journal, 3600) == ([], [journal.get(move.id)])
        (ready,), _ = due(journal, 0)
        done = clean(adopted.deployment, control, journal, ready, discard=False)
        assert (len(done.cleaned), done.removed, done.left) == (1, 120, Judgement())
    assert not any(adopted.found("club00", "shard_0").values())
    assert len(adopted.found("club00", "shard_2")["posts"]) == 59
    assert len(adopted.found("club02", "shard_0")["posts"]) == 60
    assert findings(adopted) == []


def test_what_was_written_past_the_map_is_named_and_keeps_the_whole_copy(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    old, own = (adopted.deployment.shard(name)["posts"] for name in ("shard_0", "shard_2"))
    old.insert_one({"_id": "past the map", "club_id": "club00"})
    own.update_one({"_id": "club00/000001"}, {"$set": {"text": "by the map"}})
    old.update_one({"_id": "club00/000001"}, {"$set": {"text": "past the map"}})
    old.delete_one({"_id": "club00/000002"})
    own.update_one({"_id": "club00/000003"}, {"$set": {"text": "by the map"}})
    old.insert_one({"_id": "of another club", "club_id": "club02"})
    old.delete_one({"_id": "of another club"})
    strays = {
        ("extra", '{"_id": "past the map"}'),
        ("different", '{"_id": "club00/000001"}'),
        ("missing", '{"_id": "club00/000002"}'),
    }
    assert {(one.kind, one.id) for one in findings(adopted)} == strays
    with working(adopted) as (_, control, journal):
        done = clean(adopted.deployment, control, journal, move, discard=False)
        assert {(one.kind, one.id) for one in done.left.findings} == strays and not done.cleaned
        assert all("written to shard_0 after the club had left it" in one.detail for one in done.left.findings)
        assert len(adopted.found("club00", "shard_0")["posts"]) == 60
        done = clean(adopted.deployment, control, journal, move, discard=True)
        assert done.cleaned and not any(adopted.found("club00", "shard_0").values())
    assert findings(adopted) == []


def test_a_stray_in_the_copy_of_a_club_that_moved_on_is_named_too(adopted: World) -> None:
    first = move_club(adopted, "club00", "shard_0", "shard_2")
    adopted.deployment.shard("shard_2")["posts"].delete_one({"_id": "club00/000004"})
    move_club(adopted, "club00", "shard_2", "shard_1")
    adopted.deployment.shard("shard_1")["posts"].delete_one({"_id": "club00/000005"})
    assert findings(adopted) == []
    adopted.deployment.shard("shard_0")["posts"].insert_one({"_id": "past the map", "club_id": "club00"})
    (found,) = findings(adopted)
    assert (found.kind, found.shard) == ("extra", "shard_0")
    with working(adopted) as (_, control, journal):
        assert not clean(adopted.deployment, control, journal, first, discard=False).cleaned


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("reverse_token", "1 documents differ from those on shard_2, and shard_2 no longer has the history"),
        ("token", "1 documents were changed on shard_2 since; whether somebody wrote them here as well cannot be told"),
    ],
)
def test_what_a_lost_history_hides_is_said_to_be_unchecked(adopted: World, lost: str, reason: str) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    with working(adopted) as (_, control, journal):
        move = journal.advance(move, **{lost: {"_data": "00"}})
        assert findings(adopted) == [], "both sides are the same, so nothing is hidden"
        adopted.deployment.shard("shard_2")["posts"].update_one({"_id": "club00/000001"}, {"$set": {"text": "since"}})
        (unchecked,) = findings(adopted)
        assert isinstance(unchecked, Unchecked) and unchecked.reason.startswith(reason)
        assert (unchecked.club, unchecked.shard, unchecked.move) == ("club00", "shard_0", move.id)
        done = clean(adopted.deployment, control, journal, move, discard=False)
        assert not done.cleaned and [one.reason for one in done.left.unchecked] == [unchecked.reason]
    assert len(adopted.found("club00", "shard_0")["posts"]) == 60


def test_a_cleaning_that_was_cut_off_goes_on_and_cannot_be_rolled_back(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    old = adopted.deployment.shard("shard_0")["posts"]
    with working(adopted) as (_, control, journal):
        move = journal.advance(move, State.CLEANING)
        old.delete_many({"club_id": "club00", "n": {"$lt": 30}})
        assert findings(adopted) == [], "what is gone is not missed"
        old.insert_one({"_id": "past the map", "club_id": "club00"})
        assert [one.kind for one in findings(adopted)] == ["extra"]
        ready, waiting = due(journal, 3600)
        assert [one.id for one in ready] == [move.id] and not waiting, "half a copy waits for nothing"
        old.delete_one({"_id": "past the map"})
        assert clean(adopted.deployment, control, journal, move, discard=False).removed == 90
        assert journal.get(move.id).state == State.CLEANED
    assert findings(adopted) == []


def test_an_undone_way_back_leaves_a_copy_that_is_still_compared(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    adopted.deployment.shard("shard_2")["posts"].update_one({"_id": "club00/000001"}, {"$set": {"text": "since"}})
    asked = iter([*[False] * 4, *[True] * 1000])
    with working(adopted, stop=asked.__next__) as (work, control, journal):
        work.undo(move)
        assert work.run().paused
        (left,) = work.unfinished()
        abort(adopted.deployment, control, journal, left, "cancelled")
    assert findings(adopted) == []
    adopted.deployment.shard("shard_0")["posts"].insert_one({"_id": "past the map", "club_id": "club00"})
    assert [one.kind for one in findings(adopted)] == ["extra"]


def test_copies_are_told_apart_by_the_journal_and_the_map() -> None:
    def moved(number: int, source: str, target: str, state: State, **fields: Any) -> Move:
        tokens = {"token": {"t": number}, "reverse_token": {"r": number}}
        return Move(f"m{number}", "club", source, target, state=state, **{**tokens, **fields})

    def shards(*moves: Move, at: str) -> list[tuple[str, tuple[str, ...], bool, bool]]:
        found = copies_of(moves, legacy_map(["a", "b", "c"]).placing({"club": at}))
        return [
            (copy.shard, tuple(shard for shard, _ in copy.changes), copy.whole, copy.writes is not None)
            for copy in found.judged
        ]

    away, on = moved(1, "a", "b", State.REVERSING), moved(2, "b", "c", State.REVERSING)
    assert shards(away, at="b") == [("a", ("b",), True, True)]
    assert shards(away, on, at="c") == [("a", ("b", "c"), True, True), ("b", ("c",), True, True)]
    back = moved(2, "b", "a", State.REVERSING)
    assert shards(away, back, at="a") == [("b", ("a",), True, True)], "the club is where the first copy was"
    undone = moved(2, "b", "a", State.ABORTED)
    assert shards(away, undone, at="b") == [("a", ("b",), False, False)], "what was copied there was removed again"
    assert shards(moved(1, "a", "b", State.FLIPPED), at="b") == [("a", ("b",), True, True)]
    assert shards(moved(1, "a", "b", State.FLIPPED), at="a") == [("b", ("a",), True, False)]
    assert shards(moved(1, "a", "b", State.CLEANING), at="b") == [("a", ("b",), False, True)]
    by_hand = copies_of([away], legacy_map(["a", "b", "c"]).placing({"club": "c"}))
    assert by_hand.judged == () and by_hand.foreign == (away,)
    growing = moved(1, "a", "b", State.COPYING)
    assert copies_of([growing], legacy_map(["a", "b"]).placing({"club": "a"})).growing == (growing,)


def test_a_club_that_moved_on_or_back_is_never_cleaned_away(adopted: World) -> None:
    moves = []
    for number, way in enumerate((("shard_0", "shard_2"), ("shard_2", "shard_1"), ("shard_1", "shard_0"))):
        adopted.deployment.shard(way[0])["posts"].delete_one({"_id": f"club00/{number:06d}"})
        adopted.deployment.shard(way[0])["posts"].insert_one({"_id": f"new {number}", "club_id": "club00"})
        moves.append(move_club(adopted, "club00", *way))
    assert findings(adopted) == []
    with working(adopted) as (_, control, journal):
        for move in moves:
            clean(adopted.deployment, control, journal, move, discard=False)
    found = {shard: len(adopted.found("club00", shard)["posts"]) for shard in ("shard_0", "shard_1", "shard_2")}
    assert found == {"shard_0": 60, "shard_1": 0, "shard_2": 0}
    with pytest.raises(UsageError, match="there is no move 'm9'"), working(adopted) as (_, _, journal):
        journal.get("m9")
