"""Making keys stale from outside: both layers, every process, and nothing old afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import Search, Selection, selection
from dbz.cache.names import Names, family
from dbz.errors import UsageError
from tests.cache.conftest import MakeProcess
from tests.server.clients import eventually

pytestmark = pytest.mark.anyio

NAMES = Names("cache:")


async def removed(redis: Redis, wanted: Selection) -> Purge:
    done = Purge()
    await purge(redis, NAMES, wanted, done)
    return done


async def loaded(value: Any) -> Any:
    return value


async def test_every_layer_of_every_process_forgets(process: MakeProcess, redis: Redis) -> None:
    one, two = await process(), await process()
    for each in (one, two):
        each.sync.start()
        await each.cache.get("post:1", lambda: loaded("old"))
        await each.cache.get("post:2", lambda: loaded("old"))
    await eventually(lambda: _listen(redis, 2))
    done = await removed(redis, selection(["post:1"], [], []))
    assert (done.removed, done.listeners, done.complete) == (1, 2, True)

    async def new_everywhere() -> bool:
        return [await each.cache.get("post:1", lambda: loaded("new")) for each in (one, two)] == ["new", "new"]

    await eventually(new_everywhere)
    assert await two.cache.get("post:2", lambda: loaded("new")) == "old"


async def _listen(redis: Redis, count: int) -> bool:
    return bool((await redis.pubsub_numsub("{cache:}invalidated"))[0][1] == count)


async def test_a_value_that_is_read_while_keys_are_removed_does_not_stay(process: MakeProcess, redis: Redis) -> None:
    """Somebody hears of the invalidation, then reads the old value before it is removed: the end clears that too."""
    one = await process()
    one.sync.start()
    await eventually(lambda: _listen(redis, 1))
    keys = [f"many:{n:05d}" for n in range(8000)]
    await redis.mset({f"cache:{key}": b'"old"' for key in keys})
    removing = asyncio.create_task(removed(redis, selection(["many:*"], [], [])))
    old = 0
    while not removing.done():
        for begin in range(0, len(keys), 500):
            found = await one.cache.get_many(keys[begin : begin + 500], nothing)
            old += len(found)
    assert old > 500

    async def none_is_left() -> bool:
        return not await one.cache.get_many(keys, nothing)

    await eventually(none_is_left)


async def nothing(_: list[str]) -> dict[str, Any]:
    return {}


async def test_a_club_is_known_by_its_keys_and_by_its_values(redis: Redis) -> None:
    mine = ["query:posts:c1:1:20::", "query:rooms:c1", "club:c1", "post:x", "comments:c1:x"]
    others = ["query:posts:c10:1:20::", "club:c12", "post:y", "c1"]
    await redis.mset({f"cache:{key}": b"[]" for key in mine + others})
    await redis.mset({"cache:post:x": b'{"id":"x","club_id":"c1"}', "cache:post:y": b'{"id":"y","club_id":"c10"}'})
    found = await Search(redis, NAMES, selection([], ["c1"], [])).found()
    assert (found.keys, sorted(found.examples)) == (5, sorted(mine))
    assert (await removed(redis, selection([], ["c1"], []))).removed == 5
    assert {key.decode() async for key in redis.scan_iter("cache:*")} == {f"cache:{key}" for key in others}


async def test_a_tag_is_a_field_anywhere_in_a_value(redis: Redis) -> None:
    values = {
        "a": b'{"author_id":"u1"}',
        "b": b'{"rows":[{"author_id": "u1"}]}',
        "c": b'{"author_id":"u10"}',
        "d": b'{"text":"\\"author_id\\":\\"u1\\""}',
        "e": b'{"author_id":1}',
    }
    await redis.mset({f"cache:{key}": value for key, value in values.items()})
    await redis.lpush("cache:list", "no value of the cache")
    by_text = await Search(redis, NAMES, selection([], [], ["author_id:u1"])).found()
    by_number = await Search(redis, NAMES, selection([], [], ["author_id:1"])).found()
    assert (sorted(by_text.examples), by_number.examples) == (["a", "b"], ["e"])


async def test_nothing_outside_the_prefix_is_touched_even_by_a_star(redis: Redis) -> None:
    """Sessions, queues and the cache's own bookkeeping live in the same Redis."""
    await redis.mset({"cache:a": b"1", "session:1": b"1", "cache": b"1"})
    await removed(redis, selection(["*"], [], []))
    assert {key.decode() async for key in redis.scan_iter("*")} == {
        "session:1",
        "cache",
        "{cache:}epoch",
        "{cache:}log",
        "{cache:}purges",
    }


async def test_keys_that_are_no_text_can_be_removed(redis: Redis) -> None:
    await redis.set(b"cache:\xff\xfe", b"1")
    assert (await removed(redis, selection(["?\\*", "*"], [], []))).removed == 1


def test_families_and_tags() -> None:
    assert [family(key) for key in ("post:1", "query:posts:c:1", "query:x", "alone", ":x")] == [
        "post",
        "query:posts",
        "query:x",
        "alone",
        ":x",
    ]
    with pytest.raises(UsageError, match="write FIELD:VALUE"):
        selection([], [], ["club00"])
