"""Everything of a collection arrives on the new shard, or the move is refused with the reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient, monitoring

from dbz.errors import UsageError
from dbz.shards.control import Control
from dbz.shards.copies.cleaning import clean, unexplained
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError
from dbz.shards.move.preflight import check_move, refuse_unready
from dbz.shards.plan.adoption import adopt
from dbz.shards.plan.document import Request
from dbz.shards.plan.from_stores import plan_now
from dbz.shards.shapes import (
    CollectionShape,
    index_model,
    make_alike,
    make_collection,
    refuse_incomplete,
    shape_differences,
    shapes_of,
    uncarried,
)
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


ODD_INDEXES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hidden": ({"n": 1}, {"hidden": True}),
    "partial": ({"text": 1}, {"partialFilterExpression": {"n": {"$gt": 3}}}),
    "expiring": ({"at": 1}, {"expireAfterSeconds": 86_400}),
    "german": ({"name": 1}, {"collation": {"locale": "de"}}),
    "sphere": ({"place": "2dsphere"}, {}),
    "plane": ({"spot": "2d"}, {"bits": 20, "min": -10, "max": 10}),
    "wild": ({"$**": 1}, {"wildcardProjection": {"extra": 1}}),
    "engine": ({"club_id": 1, "n": -1}, {"storageEngine": {"wiredTiger": {}}}),
}


def test_clustered_collections_and_indexes_of_every_kind_arrive(world: World) -> None:
    """What the embedded store supports, for real."""
    for shard in on_all(world)[:2]:
        shard.command(
            "create",
            "posts",
            clusteredIndex={"key": {"_id": 1}, "unique": True},
            expireAfterSeconds=86_400 * 365,
            changeStreamPreAndPostImages={"enabled": True},
        )
        engine = {"wiredTiger": {"configString": "block_compressor=zstd"}}
        shard.command("create", "messages", storageEngine=engine, indexOptionDefaults={"storageEngine": engine})
        made = [{"name": name, "key": key, **options} for name, (key, options) in ODD_INDEXES.items()]
        shard.command("createIndexes", "messages", indexes=made)
    world.fill(dict.fromkeys(CLUBS, 20))
    adopt(world.deployment)
    move = move_club(world, club_on(world, "shard_0"), "shard_0", "shard_2")
    here, there = shapes_of(world.deployment, "shard_0"), shapes_of(world.deployment, "shard_2")
    assert there == here and set(there["messages"].indexes) == set(ODD_INDEXES)
    assert there["posts"].options["expireAfterSeconds"] == 86_400 * 365
    assert there["posts"].options["clusteredIndex"]["key"] == {"_id": 1}
    assert there["messages"].indexes["hidden"]["hidden"] is True
    assert len(world.found(move.club, "shard_2")["posts"]) == 20 and findings(world) == []


DOCUMENTED = {
    "capped size max timeseries collation viewOn pipeline": "refused with a reason of its own",
    "validator validationLevel validationAction changeStreamPreAndPostImages clusteredIndex storageEngine "
    "indexOptionDefaults": "carried",
    "encryptedFields autoIndexId temp flags recordIdsReplicated": "refused by name",
}
OF_INDEXES = {
    "unique sparse hidden expireAfterSeconds partialFilterExpression collation weights default_language "
    "language_override textIndexVersion 2dsphereIndexVersion bits min max wildcardProjection storageEngine": "carried",
    "prepareUnique bucketSize columnstoreProjection dropDups": "refused by name",
}
NAMES = st.text("abcXYZ_", min_size=1, max_size=8).map(lambda text: f"x{text}")
VALUES = st.sampled_from([True, False, 0, 1, "", {}, {"enabled": True}])


def names_in(table: dict[str, str], verdict: str) -> list[str]:
    return [name for names, found in table.items() if found == verdict for name in names.split()]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([name for names in DOCUMENTED for name in names.split()]) | NAMES, VALUES),
    st.dictionaries(st.sampled_from([name for names in OF_INDEXES for name in names.split()]) | NAMES, VALUES),
)
def test_every_option_that_is_not_carried_is_refused_by_its_name(of_collection: Any, of_index: Any) -> None:
    """Whatever the value is, false and empty ones too."""
    shape = CollectionShape(of_collection, {"mine": {"key": [("a", 1)], **of_index}})
    found = set(uncarried(shape))
    known = {*names_in(OF_INDEXES, "carried")}
    assert {one for one in found if "of index" in one} == {
        f"'{name}' of index 'mine'" for name in of_index if name not in known
    }
    if "viewOn" in of_collection:
        known = {"viewOn", "pipeline", "collation"}
    else:
        known = {*names_in(DOCUMENTED, "carried"), *names_in(DOCUMENTED, "refused with a reason of its own")}
    assert {one for one in found if "of index" not in one} == {
        f"the option '{name}'" for name in of_collection if name not in known
    }


def test_what_is_not_known_makes_the_reason() -> None:
    assert uncarried(CollectionShape({"expireAfterSeconds": 5})) == [
        "the option 'expireAfterSeconds' without a clustered index"
    ]
    assert uncarried(CollectionShape({}, {}, "graph")) == ["the type 'graph'"]
    columns = {"all": {"key": [("$**", "columnstore")]}, "near": {"key": [("place", "geoHaystack")]}}
    assert uncarried(CollectionShape({}, columns)) == [
        "'columnstore' in the keys of index 'all'",
        "'geoHaystack' in the keys of index 'near'",
    ]
    assert uncarried(CollectionShape()) == []


def test_text_indexes_are_made_anew_from_what_a_store_lists() -> None:
    """As MongoDB lists `{club_id: 1, title: "text", body: "text", at: 1}`; the embedded store has no text indexes."""
    listed = {
        "key": [("club_id", 1), ("_fts", "text"), ("_ftsx", 1), ("at", 1)],
        "weights": {"body": 1, "title": 5},
        "default_language": "german",
        "language_override": "lang",
        "textIndexVersion": 3,
    }
    assert uncarried(CollectionShape({}, {"search": listed})) == []
    assert index_model("search", listed).document == {
        "name": "search",
        "key": {"club_id": 1, "body": "text", "title": "text", "at": 1},
        "weights": {"body": 1, "title": 5},
        "default_language": "german",
        "language_override": "lang",
        "textIndexVersion": 3,
    }


AS_MONGODB_LISTS = {
    "search": {"key": [("_fts", "text"), ("_ftsx", 1)], "weights": {"title": 1}, "textIndexVersion": 3},
    "anything": {"key": [("_fts", "text"), ("_ftsx", 1)], "weights": {"$**": 1}, "textIndexVersion": 3},
    "by_hash": {"key": [("club_id", "hashed")]},
    "by_club_and_hash": {"key": [("club_id", 1), ("n", "hashed")]},
}


@pytest.mark.parametrize("name", AS_MONGODB_LISTS)
def test_a_store_that_cannot_make_an_index_is_a_reason_and_no_silence(world: World, name: str) -> None:
    """The embedded store refuses text and hashes, so it stands for every target that does."""
    shape = CollectionShape({}, {"plain": {"key": [("n", 1)]}, name: AS_MONGODB_LISTS[name]})
    assert uncarried(shape) == []
    with pytest.raises(
        MoveFailedError, match=rf"'posts' with its indexes plain, {name} cannot be made on shard_2: .*not"
    ):
        make_collection(world.deployment.shard("shard_2"), "posts", shape, None, "shard_2")


@pytest.mark.parametrize("name", AS_MONGODB_LISTS)
def test_a_store_that_says_yes_and_makes_nothing_or_something_else_is_found_out(name: str) -> None:
    here = {"posts": CollectionShape({}, {name: AS_MONGODB_LISTS[name]})}
    refuse_incomplete(here, {"posts": CollectionShape({}, {"by_another_name": AS_MONGODB_LISTS[name]})}, "b")
    for there, what in (
        ({}, "'posts' is not there"),
        ({"posts": CollectionShape()}, f"index '{name}' of 'posts' is not there"),
        ({"posts": CollectionShape({}, {name: {"key": [("n", 1)]}})}, f"index '{name}' of 'posts' on b is another one"),
    ):
        with pytest.raises(MoveFailedError, match=what):
            refuse_incomplete(here, there, "b")


def test_verify_compares_indexes_of_every_kind(adopted: World) -> None:
    """Places on one shard only, and a wildcard that leaves out something else."""
    first, second = (adopted.deployment.shard(f"shard_{number}")["posts"] for number in (0, 1))
    first.create_index([("place", "2dsphere")], name="sphere")
    for posts, out in ((first, "a"), (second, "b")):
        posts.create_index([("$**", 1)], name="wild", wildcardProjection={out: 0})
    found = {(one.name, one.shard, one.detail) for one in shape_differences(adopted.deployment, ["shard_0", "shard_1"])}
    assert {
        ("sphere", "shard_1", "it is missing"),
        ("wild", "shard_0", "it differs from that of another shard"),
    } <= found


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
    """The first one is reckoned from a sample; how near they come, recorded moves tell in `test_estimate.py`."""
    first = plan_now(adopted.deployment, Request(add=("shard_2",)), None)
    assert first.estimated_s is not None and not first.estimate_measured
    rows = [{"_id": f"more/{n}", "club_id": club_on(adopted, "shard_0"), "text": "x" * 20_000} for n in range(60)]
    adopted.deployment.shard("shard_0")["posts"].insert_many(rows)
    club = club_on(adopted, "shard_0")
    plan = plan_now(adopted.deployment, Request(pin={club: "shard_1"}), None)
    with working(adopted) as (work, _, _):
        work.begin(plan)
        assert work.run().done
    back = plan_now(adopted.deployment, Request(pin={club: "shard_0"}), None)
    assert back.estimate_measured and back.estimated_s is not None and back.estimated_s > 0
