"""How fast a Redis and this machine do what the cache asks of them, with keys that are removed afterwards."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from dbz.cache.glob import escape
from dbz.cache.layers.sync import CacheSync
from dbz.cache.layers.twolayer import TwoLayerCache
from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.warm.items import Item, Renderer
from dbz.cache.warm.limits import OVERHEAD_BYTES, NoRoomError, RoomGuard
from dbz.cache.warm.run import batches, writer_for
from dbz.config.warmup import Warmer
from dbz.errors import DependencyError, UsageError

SCHEMA = "dbz.cache-bench/1"
KEYS = 20_000
_TEXT_BYTES = 400
_ONE_BY_ONE = 2000
_READS = 2000
_LOCAL_READS = 20_000
_INVALIDATIONS = 200
_BATCH = 250
_TTL_S = 600


@dataclass(frozen=True)
class CacheBench:
    """Rates in keys a second, times in milliseconds (microseconds where the name says so)."""

    keys: int
    value_bytes: int
    warm_per_s: float
    pipelined_per_s: float
    one_by_one_per_s: float
    redis_read_p50_ms: float
    redis_read_p99_ms: float
    local_read_us: float
    invalidation_p50_ms: float
    invalidation_p99_ms: float

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {"schema": SCHEMA, **{name: round(value, 4) for name, value in vars(self).items()}}


class Payload:
    """Documents as a store gives them, a warmer for them, and the same as keys and values."""

    def __init__(self, keys: int = KEYS) -> None:
        text = "x" * _TEXT_BYTES
        self.rows = [{"_id": f"{n:08d}", "club_id": "club00", "title": f"Post {n}", "text": text} for n in range(keys)]
        self.warmer = Warmer.model_validate(
            {
                "name": "bench",
                "collection": "bench",
                "key": "doc:{_id}",
                "ttl": f"{_TTL_S}s",
                "projection": ["_id", "club_id", "title", "text"],
            }
        )

    def renderer(self) -> Renderer:
        """Makes items of the rows; there is nothing to join, so it needs no store."""
        return Renderer(self.warmer, None, 0.1)  # type: ignore[arg-type]

    async def items(self) -> list[Item]:
        """The rows as they are written."""
        return await self.renderer().items(self.rows)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def warm_rate(redis: AnyRedis, prefix: str, payload: Payload) -> float:
    """Keys a second from documents in memory to Redis, with all that a warm-up does on this way."""
    writer, room, renderer = writer_for(redis, prefix, ""), RoomGuard(Nodes(redis)), payload.renderer()
    epoch = await writer.epoch()
    begin = time.perf_counter()
    for at in range(0, len(payload.rows), _BATCH):
        for batch in batches(await renderer.items(payload.rows[at : at + _BATCH]), _BATCH):
            await room.admit(len(batch), sum(len(item.value) + len(item.key) for item in batch))
            await writer.write(batch, epoch)
    return len(payload.rows) / (time.perf_counter() - begin)


async def pipelined_rate(redis: Any, prefix: str, items: Sequence[Item]) -> float:
    """Keys a second by SET … EX through redis-py's pipeline, a thousand at a time, encoded beforehand."""
    begin = time.perf_counter()
    for at in range(0, len(items), 1000):
        async with redis.pipeline(transaction=False) as pipe:
            for item in items[at : at + 1000]:
                pipe.set(prefix + item.key, item.value, ex=_TTL_S)
            await pipe.execute()
    return len(items) / (time.perf_counter() - begin)


async def one_by_one_rate(redis: Any, prefix: str, items: Sequence[Item]) -> float:
    """Keys a second by one SET … EX (which is SETEX) after the other."""
    begin = time.perf_counter()
    for item in items:
        await redis.set(prefix + item.key, item.value, ex=_TTL_S)
    return len(items) / (time.perf_counter() - begin)


async def read_times_ms(redis: Any, prefix: str, items: Sequence[Item]) -> list[float]:
    """The times of single GETs."""
    times = []
    for item in items:
        begin = time.perf_counter()
        await redis.get(prefix + item.key)
        times.append((time.perf_counter() - begin) * 1000)
    return times


async def local_read_us(cache: TwoLayerCache) -> float:
    """The mean time of a read that the local layer answers."""

    async def load() -> str:
        return "value"

    await cache.get("bench", load)
    begin = time.perf_counter()
    for _ in range(_LOCAL_READS):
        await cache.get("bench", load)
    return (time.perf_counter() - begin) / _LOCAL_READS * 1e6


async def invalidation_times_ms(redis: Redis, other: Redis, prefix: str) -> list[float]:
    """From the begin of an invalidation until another cache, with a connection of its own, has forgotten the key."""
    one, two = TwoLayerCache(redis, prefix=prefix), TwoLayerCache(other, prefix=prefix)
    sync = CacheSync(two, other, poll_s=60.0)
    sync.start()
    try:
        async with asyncio.timeout(10):
            while (await redis.pubsub_numsub(one.remote.names.channel))[0][1] < 1:
                await asyncio.sleep(0.01)
        times = []
        for _ in range(_INVALIDATIONS):
            two.offer("key", 1, 60.0, two.mark())
            begin = time.perf_counter()
            await one.invalidate("key")
            while len(two.local):
                await asyncio.sleep(0)
            times.append((time.perf_counter() - begin) * 1000)
        return times
    finally:
        await sync.stop()


async def bench(redis: AnyRedis, other: AnyRedis) -> CacheBench:
    """Measure everything, one after the other; `other` is a second client of the same Redis.

    Raises `DependencyError` when the keys would not fit, `UsageError` for a cluster, and redis-py's errors. Its keys
    are removed however it ends.
    """
    if not (isinstance(redis, Redis) and isinstance(other, Redis)):
        raise UsageError("a Redis Cluster cannot be measured as a whole", hint="name a single server", code="C008")
    prefix = f"dbz-bench-{uuid.uuid4().hex[:8]}:"
    payload = Payload()
    items = await payload.items()
    size = len(items[0].value)
    try:
        await RoomGuard(Nodes(redis)).admit(KEYS, KEYS * (size + OVERHEAD_BYTES))
    except NoRoomError as error:
        raise DependencyError(f"nothing was measured: {error}", code="C007") from None
    try:
        warm = await warm_rate(redis, prefix, payload)
        pipelined = await pipelined_rate(redis, prefix, items)
        single = await one_by_one_rate(redis, prefix, items[:_ONE_BY_ONE])
        reads = await read_times_ms(redis, prefix, items[:_READS])
        local = await local_read_us(TwoLayerCache(redis, prefix=prefix))
        told = await invalidation_times_ms(redis, other, prefix)
    finally:
        await _remove(redis, prefix)
    reads_ms = (percentile(reads, 0.5), percentile(reads, 0.99))
    return CacheBench(
        KEYS, size, warm, pipelined, single, *reads_ms, local, percentile(told, 0.5), percentile(told, 0.99)
    )


async def _remove(redis: AnyRedis, prefix: str) -> None:
    for pattern in (f"{escape(prefix)}*", f"{{{escape(prefix)}}}*"):
        async for batch in Nodes(redis).scan(pattern):
            await Nodes(redis).unlink(batch)
