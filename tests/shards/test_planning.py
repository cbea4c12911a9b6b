"""Plans from real stores."""

import json
from pathlib import Path

import pytest

from dbz.errors import DependencyError, UsageError
from dbz.shards.deployment import Deployment
from dbz.shards.map import legacy_map
from dbz.shards.move.preflight import refuse_unready
from dbz.shards.plan.disk_room import free_bytes
from dbz.shards.plan.document import Request, Weight, load_plan
from dbz.shards.plan.from_stores import plan_now
from dbz.shards.plan.planner import make_plan
from tests.shards.stores import World

SIZES = {f"club{number:02d}": 5 + number for number in range(12)}


def test_adding_a_shard_to_equal_clubs_moves_the_ideal_third_and_modulo_would_move_two() -> None:
    sizes = {f"club-{number}": Weight(10, 1000) for number in range(3000)}
    plan = make_plan(legacy_map(["a", "b"]), sizes, Request(add=("c",), tolerance=0.0))
    assert plan.moved_share <= 1.05 * plan.ideal_share
    assert plan.ideal_share == pytest.approx(1 / 3, abs=0.001)
    assert plan.modulo_share == pytest.approx(2 / 3, abs=0.03)
    assert plan.imbalance_after == pytest.approx(1.0, abs=0.001)
    assert [load.clubs_after for load in plan.loads] == [1000, 1000, 1000]


def test_a_plan_says_what_lies_where_and_exactly_what_moves(world: World, tmp_path: Path) -> None:
    world.fill(SIZES)
    plan = plan_now(world.deployment, Request(add=("shard_2",)), 20e6)
    assert (
        sum(load.docs for load in plan.loads) == 2 * sum(SIZES.values()) == sum(load.docs_after for load in plan.loads)
    )
    for move in plan.moves:
        rows = world.found(move.club, move.source)
        assert move.docs == sum(map(len, rows.values())) == 2 * SIZES[move.club]
        assert move.target == "shard_2"
    assert 1 < plan.imbalance_after < plan.imbalance_before
    assert plan.estimated_s and plan.rate_bytes_per_s <= 20e6
    (tmp_path / "plan.json").write_text(plan.to_json())
    assert load_plan(tmp_path / "plan.json") == plan


def test_a_shard_is_drained_and_a_pin_is_kept(world: World) -> None:
    world.fill(SIZES)
    plan = plan_now(world.deployment, Request(drain=("shard_0",), add=("shard_2",), pin={"club03": "shard_2"}), None)
    drained = next(load for load in plan.loads if load.shard == "shard_0")
    assert (drained.clubs_after, drained.bytes_after) == (0, 0)
    assert {move.target for move in plan.moves if move.club == "club03"} == {"shard_2"}
    assert set(plan.owners) == {"shard_1", "shard_2"} == set(plan.shards)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(add=("shard_9",)), "unknown shard 'shard_9'; did you mean"),
        (Request(add=("shard_0",)), "holds clubs already"),
        (Request(drain=("shard_2",)), "holds no clubs"),
        (Request(drain=("shard_0", "shard_1")), "no shard would be left"),
        (Request(pin={"nobody": "shard_0"}), "there is no club 'nobody'"),
        (Request(pin={"club01": "shard_2"}), "holds no clubs yet"),
        (Request(pin={"club01": "shard_0"}, drain=("shard_0",)), "pinned to 'shard_0', which is being drained"),
    ],
)
def test_requests_that_make_no_sense_are_refused(world: World, request_: Request, words: str) -> None:
    world.fill({"club01": 1, "club02": 1})
    with pytest.raises(UsageError, match=words):
        plan_now(world.deployment, request_, None)


def test_large_collections_without_an_index_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill({"club00": 7, "club01": 5, "club02": 5})
    posts = world.deployment.shard("shard_0")["posts"]
    posts.create_index([("club_id", 1)], partialFilterExpression={"n": {"$gt": 3}})
    plan = plan_now(world.deployment, Request(pin={"club02": "shard_1"}), None)
    assert [warning.split(":")[0] for warning in plan.warnings] == [
        f"'{name}' has no index that begins with 'club_id' (shard_0 12 documents)" for name in ("posts", "messages")
    ]
    refuse_unready(world.deployment, plan, force=False)
    monkeypatch.setattr("dbz.shards.plan.indexes.LARGE_DOCS", 12)
    with pytest.raises(UsageError, match="for each of 1 clubs") as refused:
        refuse_unready(world.deployment, plan, force=False)
    assert "db.posts.createIndex({'club_id': 1}); db.messages.createIndex({'club_id': 1})" in refused.value.hint
    refuse_unready(world.deployment, plan, force=True)
    for name in ("posts", "messages"):
        world.deployment.shard("shard_0")[name].create_index([("club_id", 1), ("n", 1)])
    refuse_unready(world.deployment, plan, force=False)


@pytest.mark.parametrize(
    ("stats", "free"),
    [
        ({"fsTotalSize": 100.0, "fsUsedSize": 60.0}, 40),
        ({"fsTotalSize": 100, "fsUsedSize": 100}, 0),
        ({"ok": 1.0}, None),
    ],
)
def test_free_room_is_known_where_the_store_tells(stats: dict[str, float], free: int | None) -> None:
    assert free_bytes(stats) == free


def test_a_club_pinned_earlier_holds_its_shard(world: World) -> None:
    sizes = {"club01": Weight(1, 10), "club02": Weight(1, 10)}
    pinned = legacy_map(["shard_0", "shard_1"]).next(pinned=frozenset(["club02"]))
    with pytest.raises(UsageError, match="'club02' is pinned to 'shard_0', which is being drained"):
        make_plan(pinned, sizes, Request(drain=("shard_0",)))


def test_documents_without_a_club_are_named_before_anything_is_planned(world: World) -> None:
    world.fill({"club01": 1})
    world.deployment.shard("shard_1")["posts"].insert_many([{"_id": 1}, {"_id": 2, "club_id": 7}])
    with pytest.raises(UsageError, match="shard_1: 1 in 'posts' have no id of a club in 'club_id'"):
        plan_now(world.deployment, Request(), None)


def test_one_store_behind_two_names_is_refused(world: World) -> None:
    same = {**world.environment, "TEST_SHARD_1": world.environment["TEST_SHARD_0"].replace("?", "other?")}
    with pytest.raises(UsageError, match="shards 'shard_0' and 'shard_1' have the same URI"):
        Deployment(world.deployment.file, same)


@pytest.mark.parametrize("uri", ["mongodb://user:hunter2@127.0.0.1:1/?directConnection=true", "mongodb://127.0.0.1:1"])
def test_a_shard_that_does_not_answer_is_named_without_its_secrets(world: World, uri: str) -> None:
    away = Deployment(world.deployment.file, {**world.environment, "TEST_SHARD_1": uri}, timeout_s=0.3)
    with away, pytest.raises(DependencyError) as caught:
        plan_now(away, Request(), None)
    assert caught.value.message.startswith("shard_1 (TEST_SHARD_1) failed: ")
    assert "hunter2" not in caught.value.message


def test_a_saved_plan_that_is_damaged_or_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text, words in (("{", "damaged"), (json.dumps({"schema": "dbz.run/1"}), "is not a plan"), ("[]", "damaged")):
        path.write_text(text)
        with pytest.raises(UsageError, match=words):
            load_plan(path)
    with pytest.raises(UsageError, match="cannot be read"):
        load_plan(tmp_path / "missing.json")
