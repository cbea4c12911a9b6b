"""A real Redis Cluster of three servers: the commands work on all of them."""

from __future__ import annotations

import orjson
import pytest

from dbz.cache.admin.connect import connected_redis
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import selection
from dbz.cache.admin.survey import survey
from dbz.cache.names import Names
from dbz.cache.warm import OneDatabase
from dbz.cache.warm.databases import Database
from dbz.cache.warm.items import Renderer
from dbz.cache.warm.run import writer_for
from tests.cache.clusters import cluster as cluster
from tests.cache.warming import DOCS, fill, order, warm

pytestmark = pytest.mark.anyio
NAMES = Names("cache:")


async def test_warming_looking_and_invalidating(cluster: str, database: Database) -> None:
    await fill(database, 1500)
    async with connected_redis(cluster) as redis:
        report = await warm(database, redis)
        assert (report.keys, report.stopped) == (1500, "")
        assert (await warm(database, redis)).keys == 0
        found = await survey(redis, NAMES)
        assert len(found.servers) == 3 and all(server.keys > 300 for server in found.servers)
        assert [(one.name, one.keys) for one in found.families] == [("doc", 1500)]
        done = Purge()
        await purge(redis, NAMES, selection(["doc:d00001*"], [], []), done)
        assert (done.removed, done.complete) == (100, True)
        assert (await warm(database, redis)).keys == 100


async def test_what_was_invalidated_meanwhile_is_taken_back(cluster: str, database: Database) -> None:
    await fill(database, 10)
    async with connected_redis(cluster) as redis:
        await purge(redis, NAMES, selection(["*"], [], []), Purge())
        writer = writer_for(redis, "cache:", "")
        epoch = await writer.epoch()
        await purge(redis, NAMES, selection(["doc:d0000003"], [], []), Purge())
        renderer = Renderer(order().warmers[0], OneDatabase(database), 0.0)
        items = await renderer.items(await database["docs"].find().to_list())
        written = await writer.write(items, epoch)
        assert (written.keys, [item.key for item in written.stale]) == (9, ["doc:d0000003"])


async def test_with_a_version_only_an_older_value_is_replaced(cluster: str, database: Database) -> None:
    await fill(database, 40)
    async with connected_redis(cluster) as redis:
        await purge(redis, NAMES, selection(["*"], [], []), Purge())
        there = {0: b'{"n":-1}', 1: b'{"n":1}', 2: b'{"n":3,"newer":true}', 3: b"not JSON", 4: b'{"n":"text"}'}
        for n, value in there.items():
            await redis.set(f"cache:doc:d{n:07d}", value)
        report = await warm(database, redis, order({**DOCS, "version": "n"}))
        values = {n: await redis.get(f"cache:doc:d{n:07d}") for n in there}
        assert (report.keys, report.tallies[0].skipped["present"], report.stopped) == (36, 4, "")
        assert orjson.loads(values.pop(0))["text"] and values == {n: there[n] for n in values}
        assert 3_000_000 < await redis.pttl("cache:doc:d0000039") <= 3_600_000
