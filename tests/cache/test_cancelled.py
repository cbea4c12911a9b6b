"""Work on the cache that is stopped at any moment counts all that it has written or removed, and nothing else."""

from __future__ import annotations

import asyncio
import random

import pytest
from redis.asyncio import Redis

from dbz.background import end, uncut
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import selection
from dbz.cache.names import Names
from dbz.cache.warm import OneDatabase, WarmRun
from dbz.cache.warm.copying import CacheCopy
from dbz.cache.warm.databases import Database
from tests.cache.warming import fill, order
from tests.whole import WHOLE

pytestmark = pytest.mark.anyio

ROUNDS = 30 if WHOLE else 10
KEYS = 3000


async def test_a_warm_up_counts_every_key(database: Database, redis: Redis) -> None:
    await fill(database, KEYS)
    rng = random.Random(1)
    for _ in range(ROUNDS):
        await redis.flushall()
        run, keys = WarmRun(order(), OneDatabase(database), redis, None), rng.randrange(KEYS // 2)
        working = asyncio.create_task(run.run(restart=True))
        while await redis.dbsize() <= keys:  # the answer to a write is still on its way when its keys are seen
            pass
        await end([working])
        assert run.tallies[0].keys == len(await redis.keys("cache:doc:*"))


async def test_a_copy_counts_every_key(redis: Redis) -> None:
    """Into the same store under its own names: each key is there already, and is counted as such."""
    await redis.mset({f"cache:doc:{n}": b"x" for n in range(KEYS)})
    rng = random.Random(2)
    for _ in range(ROUNDS):
        copy = CacheCopy(redis, redis, "cache:", None)
        working = asyncio.create_task(copy.run())
        await asyncio.sleep(rng.uniform(0, 0.05))
        await end([working])
        (tally,) = copy.tallies
        assert tally.documents == tally.keys + sum(tally.skipped.values())


async def test_a_purge_counts_every_key(redis: Redis) -> None:
    rng = random.Random(3)
    for _ in range(ROUNDS):
        await redis.mset({f"cache:doc:{n}": b"x" for n in range(KEYS)})
        done = Purge()
        working = asyncio.create_task(purge(redis, Names("cache:"), selection(["doc:*"], [], []), done))
        await asyncio.sleep(rng.uniform(0, 0.02))
        await end([working])
        assert done.removed == KEYS - len(await redis.keys("cache:doc:*"))
        await redis.flushall()


async def test_work_that_never_ends_does_not_hold_a_cancellation_up() -> None:
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.set()

    task = asyncio.create_task(uncut(hang()))
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()
    await asyncio.wait_for(ended.wait(), 5)
