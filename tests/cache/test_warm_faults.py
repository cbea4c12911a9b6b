"""Stores that fail, forget, or change while the cache is being warmed."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from dbz.cache.admin.connect import connected_database
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import selection
from dbz.cache.names import Names
from dbz.cache.warm import OneDatabase, WarmReport, WarmRun
from dbz.cache.warm.databases import Database
from dbz.children import free_port
from tests.cache.conftest import MakeProcess
from tests.cache.warming import fill, order, warm
from tests.server.backend import mongo_uri, start_mongo, start_redis
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def own_folder() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    yield folder
    shutil.rmtree(folder)


async def half_way(run: WarmRun) -> asyncio.Task[WarmReport]:
    """The running warm-up, when it has written something."""
    working = asyncio.create_task(run.run())
    await eventually(lambda: run.tallies[0].keys > 100)
    return working


async def test_redis_dies_half_way(database: Database) -> None:
    """What was written is reported; nothing waits for ever; and the next warm-up, on a new Redis, is complete."""
    await fill(database, 2000)
    async with own_folder() as folder:
        port = free_port()
        with start_redis(folder, port) as child:
            async with Redis.from_url(f"redis://127.0.0.1:{port}", socket_timeout=5) as redis:
                working = await half_way(WarmRun(order(), OneDatabase(database), redis, 1000))
                child.stop()
                report = await asyncio.wait_for(working, 20)
        assert report.stopped.startswith("Redis failed") and 100 < report.keys < 2000
        assert report.tallies[0].state == "stopped"
        with start_redis(folder, port):
            async with Redis.from_url(f"redis://127.0.0.1:{port}") as redis:
                assert (await warm(database, redis)).keys == 2000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_the_document_store_dies_half_way(redis: Redis) -> None:
    """The same; and the warm-up goes on from there when the store is back."""
    async with own_folder() as folder:
        port = free_port()
        child = start_mongo(folder, port, "--sync-on-commit")
        async with connected_database(mongo_uri(port), "faults") as database:
            await fill(database, 20_000)
            working = await half_way(WarmRun(order(), OneDatabase(database), redis, 4000))
            child.stop()
            report = await asyncio.wait_for(working, 60)
        assert report.stopped.startswith("the document store failed") and 100 < report.keys < 20_000
        with start_mongo(folder, port, "--sync-on-commit"):
            async with connected_database(mongo_uri(port), "faults") as database:
                again = await warm(database, redis)
    gc.collect()  # pymongo leaves the socket of a refused connection to the collector
    assert again.resumed == 1 and not again.stopped
    assert again.keys == 20_000 - report.keys and again.tallies[0].documents < 20_000


async def test_a_flushall_half_way_is_no_failure(database: Database, redis: Redis) -> None:
    """The rest is written with the right values; what was lost comes with the next warm-up, from the beginning."""
    await fill(database, 2000)
    working = await half_way(WarmRun(order(), OneDatabase(database), redis, 2000))
    await redis.flushall()
    report = await working
    assert not report.stopped and report.keys == 2000
    keys = [key async for key in redis.scan_iter("cache:doc:*", count=1000)]
    assert 0 < len(keys) < 2000
    assert all(
        f"d{orjson.loads(value)['n']:07d}".encode() in key
        for key, value in zip(keys, await redis.mget(keys), strict=True)
    )
    again = await warm(database, redis)
    assert again.resumed == 0 and again.keys == 2000 - len(keys)


async def test_a_flushall_forgets_the_checkpoint_too(database: Database, redis: Redis) -> None:
    """Otherwise the next warm-up would leave out what is gone."""
    await fill(database, 2000)
    run = WarmRun(order(), OneDatabase(database), redis, 1000)
    working = await half_way(run)
    working.cancel()
    await asyncio.wait([working])
    await redis.flushall()
    again = await warm(database, redis)
    assert (again.resumed, again.keys) == (0, 2000)


@pytest.mark.parametrize("still_running", [False, True])
async def test_keys_that_were_made_stale_meanwhile_are_warmed_again(
    database: Database, redis: Redis, *, still_running: bool
) -> None:
    """Whether the warm-up had stopped before, or stops after: the next one leaves out none of them."""
    await fill(database, 2000)
    working = await half_way(WarmRun(order(), OneDatabase(database), redis, 1000))
    if not still_running:
        working.cancel()
        await asyncio.wait([working])
    done = Purge()
    await purge(redis, Names("cache:"), selection(["doc:d00000*"], [], []), done)
    working.cancel()
    await asyncio.wait([working])
    again = await warm(database, redis)
    assert done.removed > 0 and again.resumed == 0
    assert len([key async for key in redis.scan_iter("cache:doc:*", count=1000)]) == 2000


async def test_it_stops_when_others_cause_evictions(database: Database, redis: Redis) -> None:
    """There was room at first; then somebody else filled Redis."""
    await fill(database, 2000)
    await redis.config_set("maxmemory-policy", "allkeys-random")
    await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] + 8_000_000)
    try:
        working = await half_way(WarmRun(order(), OneDatabase(database), redis, 1000))
        for n in range(200):
            await redis.set(f"other:{n}", "x" * 100_000)
        report = await working
        assert "Redis evicts keys" in report.stopped or "Redis is full" in report.stopped
    finally:
        await redis.config_set("maxmemory", 0)
        await redis.config_set("maxmemory-policy", "noeviction")


async def test_two_hundred_readers_of_a_key_that_expires_load_it_once(process: MakeProcess) -> None:
    one = await process()
    loads = 0

    async def load() -> Any:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.05)
        return loads

    await one.cache.get("k", load, ttl_s=0.2)

    async def expired() -> bool:
        return not await one.redis.exists("cache:k")

    await eventually(expired)
    one.cache.local.drop_expired()
    values = await asyncio.gather(*(one.cache.get("k", load, ttl_s=60) for _ in range(200)))
    assert (set(values), loads) == ({2}, 2)


async def test_a_value_larger_than_the_local_layer_is_served_from_redis(process: MakeProcess) -> None:
    one = await process(max_bytes=1000)
    big, loads = "x" * 5000, 0

    async def load() -> Any:
        nonlocal loads
        loads += 1
        return big

    assert [await one.cache.get("big", load) for _ in range(3)] == [big] * 3
    assert loads == 1 and len(one.cache.local) == 0 and one.cache.local.size_bytes == 0


async def test_a_reader_never_sees_half_a_value(database: Database, redis: Redis) -> None:
    """While large values are written, each read is nothing or the whole."""
    await fill(database, 300, text="y" * 200_000)
    reader = TwoLayerCache(redis)
    working = asyncio.create_task(warm(database, redis))
    seen = 0
    while not working.done():
        _, (value,) = await reader.remote.read(["doc:d0000150"])
        if value is not None:
            seen += 1
            assert len(orjson.loads(value)["text"]) == 200_000
    assert (await working).keys == 300 and seen
