"""A query over shards answers like one collection that holds everything."""

from __future__ import annotations

import datetime
import random
import secrets
from typing import Any

import pytest

from dbz.errors import DependencyError, UsageError
from dbz.shards.control import Control
from dbz.shards.deployment import Deployment
from dbz.shards.map import legacy_map
from dbz.shards.plan.adoption import adopt
from dbz.shards.query import parse_order, query_all
from tests.shards.moves import CLUBS, move_club
from tests.shards.stores import World

VALUES = [None, 1, 2, 2.0, 2, "a", "b", "", True, [1, 5], [], {"x": 1}, datetime.datetime(2026, 1, 1), ..., 3, 3]


def mixed_documents() -> list[dict[str, Any]]:
    rng = random.Random(1)
    documents = []
    for at in range(120):
        row: dict[str, Any] = {"_id": f"{at:04d}" if at % 3 else at, "club_id": rng.choice(CLUBS), "even": at % 2}
        value = rng.choice(VALUES)
        documents.append(row if value is ... else {**row, "v": value})
    return documents


@pytest.fixture
def merged(world: World) -> tuple[World, Any]:
    """Documents of all types spread over shards, with a club that has moved, and the same ones in one collection."""
    documents = mixed_documents()
    routes = legacy_map(["shard_0", "shard_1"])
    for row in documents:
        world.deployment.shard(routes.shard_of(row["club_id"]))["posts"].insert_one(row)
    one = world.deployment.shard("shard_0")[secrets.token_hex(4)]
    one.insert_many(documents)
    adopt(world.deployment)
    move_club(world, "club00", "shard_0", "shard_1")
    return world, one


@pytest.mark.parametrize("order", ["_id", "-_id", "v", "-v", "even,-v", "-even,v"])
def test_pages_are_those_of_one_collection(merged: tuple[World, Any], order: str) -> None:
    world, one = merged
    parsed = parse_order(order)
    full = parsed if "_id" in order else [*parsed, ("_id", 1)]
    with Control(world.deployment) as control:
        for wanted in ({}, {"even": 1}, {"club_id": "club00"}):
            for skip, limit in ((0, 10), (7, 20), (100, 50), (500, 5)):
                found = query_all(world.deployment, "posts", wanted, parsed, skip, limit, control.map)
                assert found == list(one.find(wanted).sort(full).skip(skip).limit(limit)), (wanted, skip)


def test_a_failing_shard_fails_the_query_and_moves_during_it_repeat_it(merged: tuple[World, Any]) -> None:
    world, _ = merged
    away = {**world.environment, "TEST_SHARD_1": "mongodb://127.0.0.1:1"}
    with Control(world.deployment) as control, Deployment(world.deployment.file, away, timeout_s=0.3) as broken:
        with pytest.raises(DependencyError, match="shard_1"):
            query_all(broken, "posts", {}, [("_id", 1)], 0, 10, control.map)
        epochs = iter([control.map(), control.map().next(), *[control.map().next()] * 5])
        found = query_all(world.deployment, "posts", {}, [("_id", 1)], 0, 200, epochs.__next__)
        assert len(found) == 120
        with pytest.raises(UsageError, match="'nothing' does not belong to clubs"):
            query_all(world.deployment, "nothing", {}, [("_id", 1)], 0, 10, control.map)


@pytest.mark.parametrize("text", ["", "-", "a,,b", "$where"])
def test_orders_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not an order"):
        parse_order(text)
