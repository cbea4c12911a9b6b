"""The cache as its users see it, with a real Redis. The tests are named after the rules of caching."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from tests.cache.conftest import MakeProcess, RedisServer
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio


class Source:
    """A source of truth that counts how often it is asked."""

    def __init__(self, value: Any = "one") -> None:
        self.value = value
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Any:
        """The value, after the gate has opened."""
        self.loads += 1
        value = self.value
        await self.gate.wait()
        return value


async def test_a_miss_goes_through_the_refresh_function_and_is_kept(process: MakeProcess) -> None:
    """The second reader is served from memory, the second process from Redis."""
    one, two, source = await process(), await process(), Source({"a": [1]})
    assert [await one.cache.get("k", source.load) for _ in range(3)] == [{"a": [1]}] * 3
    assert await two.cache.get("k", source.load) == {"a": [1]}
    assert source.loads == 1


async def test_hits_and_misses_are_counted_per_layer(process: MakeProcess) -> None:
    """Counters tell the layers apart."""
    one, two, source = await process(), await process(), Source()
    await one.cache.get("k", source.load)
    await one.cache.get("k", source.load)
    await two.cache.get("k", source.load)
    zero = {"hit": 0, "miss": 1, "error": 0}
    assert one.cache.stats.snapshot() == {"local": {**zero, "hit": 1}, "remote": zero}
    assert two.cache.stats.snapshot() == {"local": zero, "remote": {"hit": 1, "miss": 0, "error": 0}}
    assert (one.cache.stats.loads, two.cache.stats.loads) == (1, 0)


async def test_local_entries_live_ten_percent_of_the_ttl(process: MakeProcess) -> None:
    """After a tenth of the TTL Redis is asked again; TTLs are jittered downwards, never above."""
    one, source = await process(), Source()
    await one.cache.get("k", source.load, ttl_s=1.0)
    remaining_ms = await one.redis.pttl("cache:k")
    assert 0 < remaining_ms <= 1000
    await asyncio.sleep(0.11)
    await one.cache.get("k", source.load, ttl_s=1.0)
    assert one.cache.stats.snapshot()["remote"]["hit"] == 1 and source.loads == 1


async def test_the_default_ttl_is_an_hour(process: MakeProcess) -> None:
    """3,600 s, jittered by at most a tenth."""
    one, source = await process(), Source()
    await one.cache.get("k", source.load)
    assert 3_240_000 - 1000 <= await one.redis.pttl("cache:k") <= 3_600_000


async def test_two_hundred_readers_of_an_expired_key_cause_one_load(process: MakeProcess) -> None:
    """Single flight; and a reader that gives up does not take the load from the others."""
    one, source = await process(), Source()
    source.gate.clear()
    readers = [asyncio.create_task(one.cache.get("k", source.load)) for _ in range(200)]
    await eventually(lambda: source.loads)
    readers[0].cancel()
    source.gate.set()
    values = await asyncio.gather(*readers, return_exceptions=True)
    assert isinstance(values[0], asyncio.CancelledError) and set(values[1:]) == {"one"}
    assert source.loads == 1


async def test_a_loader_that_fails_fails_its_readers_and_is_not_kept(process: MakeProcess) -> None:
    """The next reader tries again."""
    one, source = await process(), Source()

    async def broken() -> Any:
        raise RuntimeError("no store")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no store"):
            await one.cache.get("k", broken)
    assert await one.cache.get("k", source.load) == "one"


async def test_nothing_found_is_not_kept(process: MakeProcess) -> None:
    """None is an answer, not a value."""
    one, source = await process(), Source(None)
    assert [await one.cache.get("k", source.load) for _ in range(2)] == [None, None]
    assert source.loads == 2 and not await one.redis.exists("cache:k")


async def test_get_many_loads_only_what_is_missing(process: MakeProcess) -> None:
    """One call for all keys that neither layer has; keys that do not exist are left out."""
    one, asked = await process(), []

    async def load(keys: list[str]) -> dict[str, Any]:
        asked.append(keys)
        return {key: key.upper() for key in keys if key != "none"}

    assert await one.cache.get_many(["a", "b"], load) == {"a": "A", "b": "B"}
    assert await one.cache.get_many(["b", "c", "none"], load) == {"b": "B", "c": "C"}
    assert asked == [["a", "b"], ["c", "none"]]


async def test_invalidation_by_glob_clears_both_layers(process: MakeProcess) -> None:
    """Matching keys go from memory and Redis, others stay, and nothing outside the cache's prefix is touched."""
    one, source = await process(), Source()
    for key in ("post:1", "post:2", "post:[x]", "game:1"):
        await one.cache.get(key, source.load)
    await one.redis.set("post:1", "not the cache's")
    assert await one.cache.invalidate("post:[12]") == 2
    assert await one.cache.invalidate("post:\\[x\\]") == 1
    source.value = "two"
    assert [await one.cache.get(key, source.load) for key in ("post:1", "post:[x]", "game:1")] == ["two", "two", "one"]
    assert await one.redis.get("post:1") == b"not the cache's"


async def test_invalidation_of_many_keys_goes_in_batches(process: MakeProcess) -> None:
    """More keys than fit in one SCAN and one UNLINK."""
    one = await process()
    await one.redis.mset({f"cache:post:{number}": "1" for number in range(2600)})
    assert await one.cache.invalidate("post:*") == 2600


async def test_invalidation_reaches_every_process(process: MakeProcess) -> None:
    """By the published message: the poll of these processes is too slow to be what did it."""
    one, two, source = await process(), await process(), Source()
    two.sync.start()
    await eventually(lambda: one.redis.pubsub_numsub("{cache:}invalidated"))
    await asyncio.sleep(0.05)
    await two.cache.get("k", source.load)
    source.value = "two"
    await one.cache.invalidate("k")

    async def new_value() -> bool:
        return bool(await two.cache.get("k", source.load) == "two")

    await eventually(new_value)


async def test_a_lost_message_is_made_good_by_the_epoch_poll(process: MakeProcess) -> None:
    """A process that heard nothing catches up with exactly what it missed."""
    one, two, source = await process(), await process(), Source()
    await two.sync.catch_up()
    await two.cache.get("k", source.load)
    await two.cache.get("other", source.load)
    source.value = "two"
    await one.cache.invalidate("k")
    assert await two.cache.get("k", source.load) == "one"
    await two.sync.catch_up()
    assert await two.cache.get("k", source.load) == "two"
    assert await two.cache.get("other", source.load) == "one"


async def test_a_value_read_before_an_invalidation_is_never_kept_after_it(process: MakeProcess) -> None:
    """The stale-set race, in one process and between two."""
    for reader_is_writer in (True, False):
        one = await process()
        two = one if reader_is_writer else await process()
        source = Source()
        source.gate.clear()
        slow = asyncio.create_task(two.cache.get("race", source.load))
        await eventually(lambda source=source: source.loads)
        source.value = "two"
        await one.cache.invalidate("ra*")
        source.gate.set()
        await slow
        two.cache.local.clear()
        assert await two.cache.get("race", source.load) == "two"
        await one.cache.invalidate("race")


async def test_a_reader_after_an_invalidation_does_not_join_an_older_load(process: MakeProcess) -> None:
    """Whoever asks after the write gets what was written."""
    one, source = await process(), Source()
    source.gate.clear()
    old = asyncio.create_task(one.cache.get("k", source.load))
    await eventually(lambda: source.loads)
    source.value = "two"
    await one.cache.invalidate("k")
    new = asyncio.create_task(one.cache.get("k", source.load))
    await eventually(lambda: source.loads == 2)
    source.gate.set()
    assert (await old, await new) == ("one", "two")


async def test_unrelated_invalidations_do_not_keep_a_value_out(process: MakeProcess) -> None:
    """Only an invalidation of its own key refuses a store."""
    one, source = await process(), Source()
    source.gate.clear()
    slow = asyncio.create_task(one.cache.get("k", source.load))
    await eventually(lambda: source.loads)
    await one.cache.invalidate("something:else")
    source.gate.set()
    await slow
    assert await one.redis.exists("cache:k")


async def test_the_cache_fails_open_and_recovers(process: MakeProcess, redis_server: RedisServer) -> None:
    """Redis down: slower, never an error, and soon not even asked. Redis back: used again, and never stale."""
    one, source = await process(), Source()
    await one.cache.get("k", source.load)
    redis_server.stop()
    one.cache.local.clear()
    assert await one.cache.get("k", source.load) == "one"
    for number in range(4):
        await one.cache.get(f"k{number}", source.load)
    assert one.cache.remote.breaker.is_open
    source.value = "two"
    assert await one.cache.invalidate("k*") == 0
    assert await one.cache.get("k", source.load) == "two"
    redis_server.start()
    await one.redis.set("cache:k", '"stale, as after a network split"')
    one.cache.local.clear()

    async def closed() -> bool:
        await one.cache.get("probe", source.load)
        one.cache.local.clear()
        return not one.cache.remote.breaker.is_open

    await eventually(closed)
    assert await one.cache.get("k", source.load) == "two"
    assert await one.redis.get("cache:k") == b'"two"'


async def test_a_value_read_anyway_is_kept_unless_it_became_stale(process: MakeProcess) -> None:
    """Offered values save a load; one that was invalidated between its read and its offer is not kept."""
    one, source = await process(), Source("loaded")
    mark = one.cache.mark()
    one.cache.offer("k", "offered", 60, mark)
    assert await one.cache.get("k", source.load) == "offered"
    await one.cache.invalidate("k")
    one.cache.offer("k", "stale", 60, mark)
    assert await one.cache.get("k", source.load) == "loaded"


async def test_memory_pressure_drops_expired_entries(process: MakeProcess) -> None:
    """Past the heap limit the sweep empties what has expired."""
    one, source = await process(), Source()
    await one.cache.get("short", source.load, ttl_s=0.1)
    await one.cache.get("long", source.load)
    one.sync._sweep_s, one.sync._heap_limit_bytes = 0.05, 1
    one.sync.start()
    await eventually(lambda: len(one.cache.local) == 1)


async def test_what_is_no_json_in_redis_is_loaded_as_if_it_were_not_there(redis: Redis) -> None:
    """A cache that fails never fails a request: somebody wrote something else under the cache's key."""
    cache = TwoLayerCache(redis)
    await redis.set("cache:odd", b"\xff no JSON")

    async def load() -> str:
        return "loaded"

    assert await cache.get("odd", load) == "loaded"
