"""Warming when clubs lie on several stores, and move from one to another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from dbz.cache.warm import OneDatabase, WarmReport, WarmRun
from dbz.cache.warm.databases import Database
from dbz.config.shards import Shards
from dbz.shards.follow.read_only import ShardReader
from dbz.shards.map import legacy_map
from dbz.shards.map_store import MAP_COLLECTION, MAP_ID
from tests.cache.warming import DOCS, order, warm
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio
FILE = Shards.model_validate(
    {"schema": "dbz.shards/1", "shards": {"s0": "S0", "s1": "S1"}, "collections": {"docs": "club_id"}}
)
LISTS = {
    "name": "lists",
    "collection": "docs",
    "sort": {"n": 1},
    "list": {"limits": [2], "pages": 1, "rows": "docs"},
    "key": "query:{club_id}:{page}:{limit}",
    "ttl": "5m",
}


class Deployment:
    """Two shards and what else belongs to them, as databases of one store; `docs` are a club's documents."""

    def __init__(self, base: Database) -> None:
        client, name = base.client, base.name
        self.shards = {shard: client[f"{name}_{shard}"] for shard in ("s0", "s1")}
        self.control = client[f"{name}_control"]
        self.directory = base
        self.map = legacy_map(("s0", "s1"), "d", 1)

    async def put(self, shard: str, club: str, count: int, **more: Any) -> None:
        rows = [{"_id": f"{club}{n:04d}", "club_id": club, "n": n, "text": shard, **more} for n in range(count)]
        await self.shards[shard]["docs"].insert_many(rows)

    async def place(self, **clubs: str) -> None:
        """The next map, with clubs elsewhere."""
        self.map = self.map.placing(clubs)
        await self.control[MAP_COLLECTION].replace_one({"_id": MAP_ID}, self.map.document(), upsert=True)

    def reader(self) -> ShardReader:
        return ShardReader(FILE, self.shards, self.control, self.directory)


@pytest.fixture
async def deployment(database: Database) -> AsyncIterator[Deployment]:
    made = Deployment(database)
    await database["clubs"].insert_many([{"_id": "a"}, {"_id": "b"}])
    yield made
    for one in (*made.shards.values(), made.control):
        await database.client.drop_database(one.name)


async def warmed(deployment: Deployment, redis: Redis, *warmers: dict[str, Any], **options: Any) -> WarmReport:
    return await WarmRun(order(*warmers, **options), deployment.reader(), redis, None).run()


async def texts(redis: Redis) -> dict[str, str]:
    keys = [key async for key in redis.scan_iter("cache:doc:*", count=1000)]
    return {
        key.decode()[10:]: orjson.loads(value)["text"] for key, value in zip(keys, await redis.mget(keys), strict=True)
    }


async def test_every_shard_is_read_and_what_a_club_left_behind_is_not(deployment: Deployment, redis: Redis) -> None:
    """A moved club has its former copies on the other shard, until they are cleaned away."""
    await deployment.put("s0", "a", 300)
    await deployment.put("s1", "b", 300)
    await deployment.put("s1", "a", 400)
    await deployment.place(a="s0", b="s1")
    of_each, of_all = {**DOCS, "limit": 200, "each_club": True}, {**DOCS, "limit": 400, "sort": {"n": 1}}
    for warmer, keys in ((DOCS, 600), (of_each, 400), (of_all, 400)):
        await redis.flushall()
        report = await warmed(deployment, redis, warmer)
        found = await texts(redis)
        assert not report.stopped and report.keys == len(found) == keys
        assert {(key[0], text) for key, text in found.items()} == {("a", "s0"), ("b", "s1")}


async def test_lists_and_single_clubs_come_from_their_shard(deployment: Deployment, redis: Redis) -> None:
    await deployment.put("s0", "a", 3)
    await deployment.put("s1", "b", 3)
    await deployment.put("s1", "a", 1)
    await deployment.place(a="s0", b="s1")
    report = await warmed(deployment, redis, DOCS, LISTS, clubs=("a",))
    assert (report.keys, set((await texts(redis)).values())) == (4, {"s0"})
    assert orjson.loads(await redis.get("cache:query:a:1:2")) == {"ids": ["a0000", "a0001"], "total": 3}


async def test_a_club_that_moves_meanwhile_is_read_where_it_is_now(deployment: Deployment, redis: Redis) -> None:
    """What its former shard has is not read any more, and nothing of it is left out."""
    await deployment.put("s0", "a", 4000)
    await deployment.put("s1", "b", 10)
    await deployment.place(a="s0", b="s1")
    run = WarmRun(order(), deployment.reader(), redis, 2000)
    working = asyncio.create_task(run.run())
    await eventually(lambda: run.tallies[0].keys > 100)
    await deployment.put("s1", "a", 4000)
    await deployment.place(a="s1")
    report = await working
    found = await texts(redis)
    assert not report.stopped and len(found) == 4010
    assert found["a3999"] == "s1"


async def test_documents_that_name_no_club_are_left_out_when_clubs_are_named(database: Database, redis: Redis) -> None:
    await database["clubs"].insert_one({"_id": "a"})
    await database["docs"].insert_many([{"_id": "1", "club_id": "a"}, {"_id": "2", "club_id": "b"}])
    await database["notices"].insert_one({"_id": "all"})
    notices = {"name": "notices", "collection": "notices", "key": "notice:{_id}", "ttl": "1h", "projection": ["_id"]}
    report = await warm(database, redis, order(DOCS, notices, clubs=("a",)))
    assert report.keys == 1 and await redis.exists("cache:doc:1")
    assert report.tallies[1].state == "left out"
    assert (await WarmRun(order(DOCS, notices), OneDatabase(database), redis, None).run()).keys == 2
