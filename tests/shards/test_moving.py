"""Moving clubs under load: nothing acknowledged is lost, nothing is there twice, writes are held only a moment."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from dbz.errors import UsageError
from dbz.shards.control import ROUTERS, Control
from dbz.shards.deployment import Deployment, check_shards
from dbz.shards.errors import MoveLeaseLostError
from dbz.shards.journal import MoveJournal, State
from dbz.shards.lease import hold_lease
from dbz.shards.map import Fence
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import PlannedMove, Request
from dbz.shards.plan.from_stores import plan_now
from dbz.shards.plan.inventory import take_inventory
from tests.shards.moves import CLUBS, findings, move_club, working
from tests.shards.stores import World
from tests.shards.writers import writing


def test_adopting_moves_nothing_and_twice_changes_nothing(world: World) -> None:
    world.fill(dict.fromkeys(CLUBS, 5))
    before = {name: world.found(club, name) for name in ("shard_0", "shard_1") for club in CLUBS}
    first, _, created = adopt(world.deployment)
    again, _, created_again = adopt(world.deployment)
    assert (created, created_again, again) == (True, False, first)
    assert {name: world.found(club, name) for name in ("shard_0", "shard_1") for club in CLUBS} == before
    inventory = take_inventory(world.deployment, first.shards)
    assert not inventory.astray(first)


def test_what_is_moved_and_verified_is_read_from_primaries_whatever_the_uris_say(world: World) -> None:
    """An app's URI often has a read preference; a secondary that is behind would make a copy lack what was written."""
    odd = {
        name: f"{uri}{'&' if '?' in uri else '/?'}readPreference=secondaryPreferred&w=1"
        for name, uri in world.environment.items()
    }
    with Deployment(world.deployment.file, odd) as deployment:
        shards = [deployment.shard(name) for name in deployment.file.names] + [deployment.control]
        assert {str(shard.read_preference) for shard in shards} == {"Primary()"}
        assert {shard.read_concern.level for shard in shards} == {"majority"}
        assert all(shard.write_concern.document == {"w": "majority", "j": True} for shard in shards)


def test_a_deployment_with_another_hash_is_not_adopted(world: World) -> None:
    world.fill(dict.fromkeys(CLUBS, 2), shard_count=1)
    with pytest.raises(UsageError, match="3 of 6 clubs do not lie where the app's formula leads"):
        adopt(world.deployment)
    with pytest.raises(UsageError, match="is not adopted"), Control(world.deployment) as control:
        control.map()


def test_clubs_move_to_a_new_shard_while_the_app_writes(adopted: World) -> None:
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    assert plan.moves
    with writing(adopted, [*CLUBS, "a new club"]) as ledger, working(adopted) as (work, control, _):
        work.begin(plan)
        outcome = work.run()
        shard_map = control.map()
    assert not outcome.failed and len(outcome.done) == len(plan.moves)
    assert all(shard_map.shard_of(move.club) == "shard_2" for move in plan.moves)
    assert shard_map.owners() == list(plan.owners) and not shard_map.fenced and not shard_map.closed
    assert ledger.acknowledged and ledger.check(adopted, shard_map) == []
    assert not ledger.refused and not ledger.failed
    assert findings(adopted) == []


def test_a_shard_is_drained_and_leaves_the_map_and_a_pin_stays(adopted: World) -> None:
    request = Request(add=("shard_2",), drain=("shard_0",), pin={"club01": "shard_2"})
    plan = plan_now(adopted.deployment, request, None)
    with working(adopted) as (work, control, _):
        work.begin(plan)
        work.run()
        shard_map = control.map()
    assert shard_map.shards == ("shard_1", "shard_2")
    assert {shard_map.shard_of(club) for club in CLUBS} == {"shard_1", "shard_2"}
    assert shard_map.shard_of("club01") == "shard_2" and shard_map.pinned == {"club01"}
    assert findings(adopted) == []


def test_a_pause_at_any_point_goes_on_where_it_was(adopted: World) -> None:
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    for limit in (0, 1, 2, 3, 5, 8, 13, 10_000):
        asked = iter([*[False] * limit, *[True] * 1000])
        with working(adopted, stop=asked.__next__) as (work, control, _):
            work.begin(plan)
            outcome = work.run()
            shard_map = control.map()
        if not outcome.paused:
            break
    assert {shard_map.shard_of(move.club) for move in plan.moves} == {"shard_2"}
    assert findings(adopted) == []


def test_only_one_process_moves_clubs_and_one_that_was_replaced_writes_nothing(adopted: World) -> None:
    with Control(adopted.deployment) as control, hold_lease(control.database) as lease:
        journal = MoveJournal(control.database, lease)
        (move,) = journal.add([PlannedMove("club00", "shard_0", "shard_1", 0, 0)])
        with pytest.raises(UsageError, match="clubs are being moved already, by process"), hold_lease(control.database):
            pass
        MoveJournal(control.database, lease + 1)
        with pytest.raises(MoveLeaseLostError):
            journal.advance(move, State.COPYING)
    assert MoveJournal(control.database).get(move.id).state == State.PLANNED


def test_a_plan_that_reality_left_behind_or_that_is_of_another_deployment_is_refused(adopted: World) -> None:
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    with working(adopted) as (work, control, journal):
        control.change(lambda before: before.next())
        with pytest.raises(UsageError, match="out of date: the map was at epoch 1 and is at 2 now"):
            work.begin(plan)
        strange = type(plan)(**{**vars(plan), "deployment": "other"})
        with pytest.raises(UsageError, match="made for another deployment"):
            work.begin(strange)
        assert not journal.all()


def test_a_uri_that_leads_to_another_shard_is_noticed(adopted: World) -> None:
    swapped = {"TEST_SHARD_0": "TEST_SHARD_1", "TEST_SHARD_1": "TEST_SHARD_0"}
    environment = {name: adopted.environment[swapped.get(name, name)] for name in adopted.environment}
    with (
        Deployment(adopted.deployment.file, environment) as wrong,
        pytest.raises(UsageError, match="leads to 'shard_1'"),
    ):
        check_shards(wrong, ["shard_0"], "whatever")


def test_ids_and_unique_keys_that_would_collide_are_found_before_copying(adopted: World) -> None:
    source, target = adopted.deployment.shard("shard_0"), adopted.deployment.shard("shard_1")
    target["posts"].insert_one({"_id": "club00/000003", "club_id": "club01", "mine": True})
    source["messages"].create_index("slug", unique=True, sparse=True)
    source["messages"].update_one({"_id": "club02/000000"}, {"$set": {"slug": "taken"}})
    target["messages"].update_one({"_id": "club01/000000"}, {"$set": {"slug": "taken"}})
    with working(adopted) as (work, _, journal):
        moves = [PlannedMove(club, "shard_0", "shard_1", 60, 1) for club in ("club00", "club02")]
        journal.add(moves)
        outcome = work.run()
    assert [move.state for move in outcome.failed] == [State.ABORTED] * 2
    assert "'club00/000003' of 'posts' has the same _id on shard_1" in outcome.failed[0].reason
    assert "has the same slug on shard_1 as 'club01/000000'" in outcome.failed[1].reason
    assert target["posts"].find_one({"_id": "club00/000003"})["mine"]
    assert not adopted.found("club02", "shard_1")["posts"]


def test_a_server_that_does_not_follow_lets_the_fence_end_and_the_club_stay(adopted: World) -> None:
    with Control(adopted.deployment) as control:
        control.database[ROUTERS].update_one(
            {"_id": "stuck"}, {"$set": {"epoch": 0}, "$currentDate": {"seen": True}}, upsert=True
        )
    seen: list[str] = []
    enough = threading.Event()

    def told(_move: Any, what: str) -> None:
        seen.append(what)
        if "trying again" in what:
            enough.set()

    with working(adopted, max_fence_s=0.05, told=told, stop=enough.is_set) as (work, control, journal):
        journal.add([PlannedMove("club00", "shard_0", "shard_1", 60, 1)])
        outcome = work.run()
        assert outcome.paused and not control.map().fenced
        assert control.map().shard_of("club00") == "shard_0"
    assert any("server stuck did not follow in time" in what for what in seen)


def test_a_lost_history_of_changes_makes_a_new_copy(adopted: World) -> None:
    seen: list[str] = []
    with working(adopted, told=lambda _move, what: seen.append(what)) as (work, control, journal):
        (move,) = journal.add([PlannedMove("club00", "shard_0", "shard_1", 60, 1)])
        journal.advance(move, State.TAILING, token={"_data": "00"}, copied=("posts", "messages"))
        outcome = work.run()
        assert control.map().shard_of("club00") == "shard_1"
    assert not outcome.failed and any("copying again" in what for what in seen)
    assert findings(adopted) == []


def test_writes_are_let_go_when_the_one_who_fenced_them_is_gone(adopted: World) -> None:
    with Control(adopted.deployment) as control, writing(adopted, ["club00"]) as ledger:
        control.change(lambda before: before.next(fenced={"club00": Fence("of nobody", 0.3)}))
        begin = time.monotonic()
        while control.map().fenced:
            assert time.monotonic() - begin < 60
            time.sleep(0.01)
        before = len(ledger.acknowledged)
        while len(ledger.acknowledged) <= before:
            assert time.monotonic() - begin < 60
            time.sleep(0.01)
    assert ledger.refused, "the write that waited is told to try again"
    assert ledger.longest_s < 30


@pytest.mark.timeout(60)
def test_a_club_that_is_written_without_a_pause_still_moves(adopted: World) -> None:
    with writing(adopted, ["club00"], pause_s=0.0) as ledger:
        move = move_club(adopted, "club00", "shard_0", "shard_1")
        with Control(adopted.deployment) as control:
            shard_map = control.map()
    assert shard_map.shard_of("club00") == "shard_1" and move.block_ms is not None
    assert ledger.check(adopted, shard_map) == [] and not ledger.refused
    assert findings(adopted) == []
