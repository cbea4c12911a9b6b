"""What can be seen of a cache from outside."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from dbz.cache.admin.entries import read_entry, read_lives
from dbz.cache.admin.selection import selection
from dbz.cache.admin.survey import survey
from dbz.cache.layers.published import publish
from dbz.cache.layers.stats import CacheStats
from dbz.cache.names import Names
from tests.cache.conftest import MakeProcess
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio

NAMES = Names("cache:")


async def value() -> Any:
    return {"text": "x" * 100}


async def test_hits_and_misses_are_added_up_over_processes_by_family(process: MakeProcess, redis: Redis) -> None:
    one, two = await process(), await process()
    for each, times in ((one, 3), (two, 2)):
        for _ in range(times):
            await each.cache.get("post:1", value)
        await publish(each.redis, each.cache)
    await one.cache.get_many(["query:a:1", "query:a:2"], lambda _: nothing())
    await publish(one.redis, one.cache)
    found = await survey(redis, NAMES)
    assert found.counts["post"] == {"local": {"hit": 3, "miss": 2}, "remote": {"hit": 1, "miss": 1}}
    assert found.counts["query:a"] == {"local": {"miss": 2}, "remote": {"miss": 2}}
    assert [figures.entries for figures in found.processes] == [1, 1]
    assert [figures.loads for figures in found.processes] in ([2, 0], [0, 2])


async def nothing() -> dict[str, Any]:
    return {}


async def test_a_running_process_publishes_by_itself(process: MakeProcess, redis: Redis) -> None:
    one = await process()
    one.sync.start()

    async def seen() -> bool:
        return len((await survey(redis, NAMES)).processes) == 1

    await eventually(seen)


async def test_families_have_their_numbers_lives_and_memory(redis: Redis) -> None:
    for n in range(300):
        await redis.set(f"cache:post:{n}", "x" * 1000, ex=[30, 300, 2000][n % 3])
    await redis.set("cache:query:posts:c", "[]")
    await redis.set("other", "not the cache's")
    found = {one.name: one for one in (await survey(redis, NAMES)).families}
    assert set(found) == {"post", "query:posts"}
    post = found["post"]
    assert post.keys == 300 and 300 * 1000 < post.memory_bytes < 300 * 1500
    assert post.lives == {"under 1 min": 100, "1 to 10 min": 100, "10 to 60 min": 100, "over 1 h": 0, "for ever": 0}
    assert post.life_s["p50"] == pytest.approx(300, abs=10)
    assert found["query:posts"].lives["for ever"] == 1


async def test_large_caches_are_calculated_from_a_sample(redis: Redis) -> None:
    await redis.mset({f"cache:post:{n}": "x" for n in range(16_000)} | {f"cache:game:{n}": "x" for n in range(4000)})
    found = await survey(redis, NAMES, sample=5000)
    keys = {one.name: one.keys for one in found.families}
    assert not found.exact and found.sampled < 8000
    assert keys["post"] == pytest.approx(16_000, rel=0.1) and keys["game"] == pytest.approx(4000, rel=0.3)


async def test_servers_show_evictions(redis: Redis) -> None:
    before = (await survey(redis, NAMES)).servers[0].evicted
    await redis.config_set("maxmemory-policy", "allkeys-random")
    await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] + 200_000)
    try:
        for n in range(100):
            await redis.set(f"cache:post:{n}", "x" * 10_000)
        server = (await survey(redis, NAMES)).servers[0]
        assert server.evicted > before and server.policy == "allkeys-random" and server.limit_bytes > 0
    finally:
        await redis.config_set("maxmemory", 0)
        await redis.config_set("maxmemory-policy", "noeviction")


def test_the_hottest_keys_are_those_that_are_asked_for_most() -> None:
    """Also when far more keys pass by than are remembered."""
    stats = CacheStats()
    for n in range(60_000):
        stats.hit("local", (f"rare:{n}", "hot:1", "hot:1"))
    (key, count), *_ = stats.document()["hottest"]
    assert key == "hot:1" and count > 10_000


async def test_an_entry_has_its_value_and_life(redis: Redis) -> None:
    await redis.set("cache:a", b'{"n":1}', px=60_000)
    await redis.set("cache:b", b"\xff")
    await redis.lpush("cache:c", "1")
    a, b, c = [await read_entry(redis, NAMES, key) for key in "abc"]
    assert a and b and c
    assert a.decoded == {"n": 1} and a.left_s and 55 < a.left_s <= 60
    assert b.decoded == "\ufffd" and b.left_s is None
    assert c.kind == "list"
    assert await read_entry(redis, NAMES, "d") is None


async def test_lives_are_listed_from_the_shortest(redis: Redis) -> None:
    for n in range(5):
        await redis.set(f"cache:a:{n}", "1", ex=1000 - n)
    await redis.set("cache:a:x", "1")
    lives = await read_lives(redis, NAMES, selection(["a:*"], [], []), 100)
    assert [key for key, _ in lives.keys] == ["a:4", "a:3", "a:2", "a:1", "a:0", "a:x"]
    assert lives.endless == 1 and lives.complete
