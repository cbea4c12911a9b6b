"""Everything of a collection arrives on the new shard, or the move is refused with the reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pymongo import MongoClient, monitoring

from dbz.errors import UsageError
from dbz.shards.control import Control
from dbz.shards.copies.cleaning import clean, unexplained
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError
from dbz.shards.move.preflight import check_move, refuse_unready
from dbz.shards.plan.document import Request
from dbz.shards.plan.from_stores import plan_now
from dbz.shards.shapes import make_alike, shapes_of
from tests.shards.moves import CLUBS, findings, move_club, working
from tests.shards.stores import World


def on_all(world: World) -> list[Any]:
    return [world.deployment.shard(f"shard_{number}") for number in range(3)]


def club_on(world: World, shard: str) -> str:
    return next(club for club in CLUBS if world.found(club, shard)["posts"])


def test_options_indexes_and_views_arrive(adopted: World) -> None:
    first, second, third = on_all(adopted)
    for database in (first, second):
        database.command(
            "collMod",
            "posts",
            validator={"n": {"$type": "number"}},
            validationLevel="moderate",
            validationAction="error",
        )
        database["posts"].create_index("club_id")
        database["posts"].create_index("at", expireAfterSeconds=86_400)
        database["posts"].create_index("slug", unique=True, partialFilterExpression={"slug": {"$exists": True}})
        database["posts"].create_index([("n", -1), ("text", 1)], name="mine", sparse=True)
        database.create_collection("newest", viewOn="posts", pipeline=[{"$sort": {"n": -1}}])
        database.create_collection("newer", viewOn="newest", pipeline=[{"$limit": 3}])
        database.create_collection("others", viewOn="users", pipeline=[])
    move = move_club(adopted, club_on(adopted, "shard_0"), "shard_0", "shard_2")
    here, there = shapes_of(adopted.deployment, "shard_0"), shapes_of(adopted.deployment, "shard_2")
    assert there == here and set(there) == {"posts", "messages", "newest", "newer"}
    assert there["posts"].options["validator"] == {"n": {"$type": "number"}}
    assert third["newer"].count_documents({}) == 3
    with pytest.raises(Exception, match="validation"):
        third["posts"].insert_one({"_id": "bad", "club_id": move.club, "n": "many"})
    assert findings(adopted) == []


def test_verify_names_options_and_views_that_differ(adopted: World) -> None:
    first = adopted.deployment.shard("shard_0")
    first.command("collMod", "posts", validator={"n": {"$type": "number"}})
    first.create_collection("newest", viewOn="posts", pipeline=[])
    found = {(one.kind, one.collection, one.shard, one.detail) for one in findings(adopted)}
    assert found == {
        ("options", "posts", "shard_1", "validator differ from those on shard_0"),
        ("options", "newest", "shard_1", "the view is missing"),
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"capped": True, "size": 100_000}, "is capped"),
        ({"timeseries": {"timeField": "t", "metaField": "club_id"}}, "is a time series"),
        ({"collation": {"locale": "en", "strength": 2}}, "compares texts by a collation"),
        ({"viewOn": "other", "pipeline": []}, "is a view"),
    ],
)
def test_what_cannot_be_moved_is_refused_before_anything_is_touched(
    world: World, options: dict[str, Any], why: str
) -> None:
    world.deployment.shard("shard_0").create_collection("posts", **options)
    for number in (0, 1):
        world.deployment.shard(f"shard_{number}")["messages"].insert_many(
            [{"_id": f"{club}", "club_id": club} for club in CLUBS if int(club[-2:]) % 2 == number]
        )
    with pytest.raises(MoveFailedError, match=why):
        make_alike(world.deployment, "shard_0", "shard_2")
    assert world.deployment.shard("shard_2").list_collection_names() == []


def test_a_plan_says_that_it_will_be_refused_and_is(adopted: World) -> None:
    adopted.deployment.shard("shard_2").create_collection("posts", validator={"n": {"$gt": 5}})
    adopted.deployment.shard("shard_2")["messages"].create_index("n", name="text_1")
    adopted.deployment.shard("shard_0")["messages"].create_index("text", name="text_1")
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    assert any("this plan will be refused: 'posts' on shard_2 has other options: validator" in w for w in plan.warnings)
    with pytest.raises(UsageError, match=r"index 'text_1' of 'messages' on shard_2 is another one: \{n: 1\}"):
        refuse_unready(adopted.deployment, plan, force=True)


def test_half_a_gridfs_is_refused_and_both_halves_move(world: World) -> None:
    file = world.deployment.file.model_copy(update={"collections": {"fs.files": "metadata.club_id"}})
    halves = Deployment(file, world.environment)
    both = Deployment(
        file.model_copy(update={"collections": {"fs.files": "metadata.club_id", "fs.chunks": "club_id"}}),
        world.environment,
    )
    database = world.deployment.shard("shard_0")
    database["fs.files"].insert_one({"_id": 1, "length": 3, "metadata": {"club_id": "club00"}})
    database["fs.chunks"].insert_one({"_id": 2, "files_id": 1, "n": 0, "data": b"abc", "club_id": "club00"})
    with halves, both:
        with pytest.raises(MoveFailedError, match="half of a GridFS"):
            make_alike(halves, "shard_0", "shard_2")
        make_alike(both, "shard_0", "shard_2")


def test_unique_partial_indexes_are_checked_without_a_question_for_each_batch(adopted: World) -> None:
    """The target is read once for such an index, however many documents the club has."""
    club = club_on(adopted, "shard_0")
    source, target = adopted.deployment.shard("shard_0"), adopted.deployment.shard("shard_1")
    source["posts"].insert_many([{"_id": f"{club}+{n}", "club_id": club, "slug": f"{club}/{n}"} for n in range(1800)])
    only = {"partialFilterExpression": {"slug": {"$exists": True}}}
    for database in (source, target):
        database["posts"].create_index("slug", unique=True, **only)
        database["posts"].create_index("code", unique=True, sparse=True)
    asked: list[str] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name == "find" and "slug" in str(event.command) and event.command["find"] == "posts":
                asked.append(str(event.command["filter"]))

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...
        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    client: MongoClient[Any] = MongoClient(adopted.environment["TEST_SHARD_1"], event_listeners=[Listener()])
    before = adopted.deployment._clients["shard_1"]
    adopted.deployment._clients["shard_1"] = client
    try:
        check_move(adopted.deployment, club, "shard_0", "shard_1", 0)
        assert len(asked) == 1
        target["posts"].insert_one({"_id": "other", "club_id": "x", "slug": f"{club}/1700"})
        with pytest.raises(MoveFailedError, match="has the same slug on shard_1 as 'other' of club 'x'"):
            check_move(adopted.deployment, club, "shard_0", "shard_1", 0)
    finally:
        adopted.deployment._clients["shard_1"] = before
        client.close()


def test_documents_that_expire_do_not_block_rollback_and_clean(adopted: World) -> None:
    """A TTL index takes documents away on each shard by itself: from the old copy first, or from its club."""
    club = club_on(adopted, "shard_0")
    now = dt.datetime.now(dt.UTC)
    for database in on_all(adopted)[:2]:
        database["posts"].create_index("at", expireAfterSeconds=3600)
    dates = {"expired": now - dt.timedelta(hours=2), "touched": now, "lives": now}
    rows = [{"_id": f"{club}/{name}", "club_id": club, "at": at} for name, at in dates.items()]
    adopted.deployment.shard("shard_0")["posts"].insert_many(rows)
    move = move_club(adopted, club, "shard_0", "shard_2")
    old, owner = adopted.deployment.shard("shard_0")["posts"], adopted.deployment.shard("shard_2")["posts"]
    owner.update_one({"_id": f"{club}/touched"}, {"$set": {"at": now + dt.timedelta(minutes=5)}})
    old.delete_many({"_id": {"$in": [f"{club}/expired", f"{club}/touched"]}})
    with working(adopted) as (_, control, journal):
        left = unexplained(adopted.deployment, control, journal, move)
        assert not left.findings and not left.unchecked
    old.delete_one({"_id": f"{club}/lives"})  # nothing of it had expired: somebody did that past the map
    with working(adopted) as (_, control, journal):
        left = unexplained(adopted.deployment, control, journal, move)
        assert [(one.kind, one.id) for one in left.findings] == [("missing", f'{{"_id": "{club}/lives"}}')]
        assert clean(adopted.deployment, control, journal, move, discard=False).left.findings
    old.insert_one(rows[2])


def test_a_cancelled_plan_gives_the_slots_of_a_new_shard_back(adopted: World) -> None:
    with Control(adopted.deployment) as control:
        owners = control.map().owners()
    plan = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    asked = iter([False] * 4)
    with working(adopted, stop=lambda: next(asked, True)) as (work, control, _):
        work.begin(plan)
        assert work.run().paused and "shard_2" in control.map().owners()
        adopted.deployment.shard("shard_2")["posts"].insert_one({"_id": "new", "club_id": "begun-on-shard_2-2"})
    with working(adopted) as (work, control, journal):
        from dbz.shards.move.rebalance import abort

        born = control.map().shard_of("begun-on-shard_2-2")
        for move in work.unfinished():
            abort(adopted.deployment, control, journal, move, "cancelled")
        assert work.give_up() and control.map().owners() == owners and work.current() is None
        assert control.map().shard_of("begun-on-shard_2-2") == born, "clubs that began there stay there"
        plan = plan_now(adopted.deployment, Request(add=("shard_2",)) if born != "shard_2" else Request(), None)
        assert plan.epoch == control.map().epoch


def test_a_plan_that_misses_its_tolerance_says_why(world: World) -> None:
    from dbz.report.words.shards import plan_texts

    world.fill({"club00": 500, "club01": 3, "club02": 3})
    plan = plan_now(world.deployment, Request(), None)
    assert "club 'club00' alone is" in plan.shortfall
    assert any(text.startswith("Not within the tolerance of 5 %: club 'club00' alone") for text in plan_texts(plan))


def test_an_estimate_comes_from_how_earlier_moves_went(adopted: World) -> None:
    """Within a factor of two, as soon as there were moves; the first one is reckoned from a sample."""
    first = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    assert first.estimated_s is not None and not first.estimate_measured
    rows = [{"_id": f"more/{n}", "club_id": club_on(adopted, "shard_0"), "text": "x" * 300} for n in range(3000)]
    adopted.deployment.shard("shard_0")["posts"].insert_many(rows)
    club = club_on(adopted, "shard_0")
    plan = plan_now(adopted.deployment, Request(pin={club: "shard_1"}), None)
    with working(adopted) as (work, _, _):
        work.begin(plan)
        assert work.run().done
    back = plan_now(adopted.deployment, Request(pin={club: "shard_0"}), None)
    assert back.estimate_measured and back.estimated_s is not None
    with working(adopted) as (work, _, _):
        work.begin(back)
        outcome = work.run()
        assert outcome.done
        taken_s = work._options.tracker.standing().elapsed_s
    assert back.estimated_s / 4 < taken_s < back.estimated_s * 4, "a factor of two, and one of a busy machine"
