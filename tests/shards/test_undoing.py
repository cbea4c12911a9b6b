"""Back again: rollbacks keep what was written since, cancelled moves leave nothing, old copies go when they may."""

from __future__ import annotations

import pytest

from dbz.errors import UsageError
from dbz.shards.cleaning import clean, due
from dbz.shards.journal import State
from dbz.shards.plan import PlannedMove
from dbz.shards.rebalance import abort
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
        assert (len(done.cleaned), done.removed, done.strays) == (1, 119, [])
    assert not any(adopted.found("club00", "shard_0").values())
    assert len(adopted.found("club00", "shard_2")["posts"]) == 59
    assert len(adopted.found("club02", "shard_0")["posts"]) == 60
    assert findings(adopted) == []


def test_what_was_written_past_the_map_is_named_and_kept(adopted: World) -> None:
    move = move_club(adopted, "club00", "shard_0", "shard_2")
    old = adopted.deployment.shard("shard_0")["posts"]
    old.insert_one({"_id": "past the map", "club_id": "club00"})
    old.update_one({"_id": "club00/000001"}, {"$set": {"text": "past the map"}})
    assert {(one.kind, one.id) for one in findings(adopted)} == {
        ("extra", '{"_id": "past the map"}'),
        ("different", '{"_id": "club00/000001"}'),
    }
    with working(adopted) as (_, control, journal):
        done = clean(adopted.deployment, control, journal, move, discard=False)
        assert {one.kind for one in done.strays} == {"extra", "different"} and not done.cleaned
        assert set(adopted.found("club00", "shard_0")["posts"]) == {"past the map", "club00/000001"}
        done = clean(adopted.deployment, control, journal, move, discard=True)
        assert done.cleaned and not any(adopted.found("club00", "shard_0").values())


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
