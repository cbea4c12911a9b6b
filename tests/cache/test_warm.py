"""What a warm-up writes, and what it never does; with real stores."""

from __future__ import annotations

import asyncio
import datetime as dt
from datetime import UTC, datetime
from typing import Any

import msgpack
import orjson
import pytest
from bson import ObjectId
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from dbz.cache.admin.check import FreshnessCheck
from dbz.cache.warm.databases import Database, OneDatabase
from dbz.cache.warm.dry_run import dry_run
from dbz.errors import ConfigError, UsageError
from tests.cache.warming import DOCS, fill, order, warm

pytestmark = pytest.mark.anyio

POLICIES = ["noeviction", "volatile-ttl"] + [
    f"{which}-{how}" for which in ("allkeys", "volatile") for how in ("lru", "lfu", "random")
]
WHEN = datetime(2026, 11, 1, 9, tzinfo=UTC)


async def cached(redis: Redis, key: str) -> Any:
    value = await redis.get(f"cache:{key}")
    return None if value is None else orjson.loads(value)


async def test_a_value_has_the_fields_of_the_projection_and_no_others(database: Database, redis: Redis) -> None:
    identity = ObjectId()
    row = {"_id": identity, "title": "é ✓", "at": WHEN, "deep": {"er": [1]}, "ids": ["a", "no"], "token": "secret"}
    await database["docs"].insert_one(row)
    await database["people"].insert_many([{"_id": "a", "name": "A", "password": "p"}, {"_id": "b", "of": identity}])
    projection = {
        "title": "title",
        "at": "at",
        "er": "deep.er",
        "none": "absent",
        "many": {"count": "ids"},
        "full": {"count": "ids", "at_least": "most"},
        "people": {"join": "people", "by": "ids", "projection": ["_id", "name"]},
        "nobody": {"join": "people", "by": "absent", "projection": ["name"]},
        "owned": {"number_of": "people", "by": "of"},
    }
    report = await warm(database, redis, order({**DOCS, "projection": projection}))
    assert not report.stopped and report.keys == 1
    assert await cached(redis, f"doc:{identity}") == {
        "title": "é ✓",
        "at": "2026-11-01T09:00:00.000Z",
        "er": [1],
        "none": None,
        "many": 2,
        "full": True,
        "people": [{"_id": "a", "name": "A"}, {"_id": "no", "name": None}],
        "nobody": None,
        "owned": 1,
    }


async def test_expiries_are_spread_and_never_longer_than_the_ttl(database: Database, redis: Redis) -> None:
    await fill(database, 300)
    await warm(database, redis, order({**DOCS, "ttl": "100s"}, jitter="20%"))
    left_ms = [await redis.pttl(key) async for key in redis.scan_iter("cache:doc:*")]
    assert 75_000 < min(left_ms) < 84_000 and 96_000 < max(left_ms) <= 100_000


async def test_a_second_warm_up_writes_nothing_and_lengthens_no_life(database: Database, redis: Redis) -> None:
    await fill(database, 1000)
    first = await warm(database, redis)
    await redis.pexpire("cache:doc:d0000000", 5000)
    second = await warm(database, redis)
    assert (first.keys, second.keys, second.tallies[0].skipped["present"]) == (1000, 0, 1000)
    assert await redis.pttl("cache:doc:d0000000") <= 5000


async def test_a_value_that_is_there_is_never_overwritten(database: Database, redis: Redis) -> None:
    await fill(database, 2)
    await redis.set("cache:doc:d0000001", b'{"n":"newer"}')
    await warm(database, redis)
    assert (await cached(redis, "doc:d0000001"))["n"] == "newer"


async def test_with_a_version_only_an_older_value_is_replaced(database: Database, redis: Redis) -> None:
    await fill(database, 3)
    there = {0: b'{"n":-1}', 1: b'{"n":1}', 2: b'{"n":3,"newer":true}'}
    await redis.mset({f"cache:doc:d{n:07d}": value for n, value in there.items()})
    report = await warm(database, redis, order({**DOCS, "version": "n"}))
    values = [await cached(redis, f"doc:d{n:07d}") for n in range(3)]
    assert (report.keys, values[0]["text"] is not None, values[1], values[2]["newer"]) == (1, True, {"n": 1}, True)


async def test_versions_of_another_kind_are_left_alone(database: Database, redis: Redis) -> None:
    """A value that cannot be compared may be newer."""
    await fill(database, 2)
    await redis.mset({"cache:doc:d0000000": b"not JSON", "cache:doc:d0000001": b'{"n":"text"}'})
    assert (await warm(database, redis, order({**DOCS, "version": "n"}))).keys == 0


async def test_what_changes_while_it_is_warmed_is_never_cached_in_its_old_form(
    database: Database, redis: Redis
) -> None:
    """Members write all the time, and invalidate as the server does: what is cached at the end is what is stored."""
    await fill(database, 3000)
    writer = TwoLayerCache(redis)
    stop = asyncio.Event()
    changed = 0

    async def write() -> None:
        nonlocal changed
        while not stop.is_set():
            identity = f"d{(changed * 7) % 3000:07d}"
            await database["docs"].update_one({"_id": identity}, {"$set": {"n": -changed}})
            await writer.invalidate(f"doc:{identity}")
            changed += 1

    writing = asyncio.create_task(write())
    for _ in range(3):
        report = await warm(database, redis, order({**DOCS, "ttl": "1h"}))
        assert not report.stopped
    stop.set()
    await writing
    stored = {f"doc:{row['_id']}": row["n"] async for row in database["docs"].find()}
    keys = [key async for key in redis.scan_iter("cache:doc:*", count=1000)]
    values = dict(zip([key.decode()[6:] for key in keys], await redis.mget(keys), strict=True))
    assert changed > 20 and len(values) > 2500
    assert {key: orjson.loads(value)["n"] for key, value in values.items()} == {key: stored[key] for key in values}


async def test_the_rate_is_never_exceeded(database: Database, redis: Redis) -> None:
    """At no moment are there more keys than the rate has earned since the first."""
    await fill(database, 600)
    working = asyncio.create_task(warm(database, redis, rate_per_s=500))
    seen: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not working.done():
        before = loop.time()
        written = len([key async for key in redis.scan_iter("cache:doc:*", count=5000)])
        seen.append((loop.time(), written))
        assert written <= 500 * (loop.time() - began) + 1, (before, written)
    report = await working
    assert report.keys == 600 and report.seconds >= 600 / 500
    assert any(0 < written < 600 for _, written in seen)


async def test_clubs_limits_and_lists(database: Database, redis: Redis) -> None:
    """The first of each club, its list pages, and the documents on these."""
    await database["clubs"].insert_many([{"_id": "a"}, {"_id": "b"}])
    rows = [{"_id": f"{club}{n}", "club_id": club, "n": n, "hot": n == 0} for club in "ab" for n in range(5)]
    await database["docs"].insert_many(rows)
    top = {**DOCS, "each_club": True, "limit": 2, "sort": {"n": -1}}
    lists = {
        "name": "lists",
        "collection": "docs",
        "sort": {"n": 1},
        "each": [{}, {"hot": True}],
        "list": {"limits": [2], "pages": 2, "rows": "docs"},
        "key": "query:{club_id}:{hot}:{page}:{limit}",
        "ttl": "5m",
    }
    report = await warm(database, redis, order(top, lists, clubs=("a",)))
    keys = {key.decode() async for key in redis.scan_iter("cache:*")}
    assert keys == {f"cache:doc:a{n}" for n in range(5)} | {
        "cache:query:a::1:2",
        "cache:query:a::2:2",
        "cache:query:a:True:1:2",
    }
    assert await cached(redis, "query:a::2:2") == {"ids": ["a2", "a3"], "total": 5}
    assert await cached(redis, "query:a:True:1:2") == {"ids": ["a0"], "total": 1}
    assert report.keys == 8


async def test_documents_without_a_key_or_a_json_form_are_counted(database: Database, redis: Redis) -> None:
    await database["docs"].insert_many([{"_id": 1, "n": 1}, {"_id": 2, "n": None}, {"_id": 3, "n": 3, "text": b"\xff"}])
    report = await warm(database, redis, order({**DOCS, "key": "doc:{n}"}))
    assert (report.keys, report.tallies[0].skipped["unusable"]) == (1, 2)


@pytest.mark.parametrize("policy", POLICIES)
async def test_it_stops_before_anything_is_evicted(database: Database, redis: Redis, policy: str) -> None:
    """With any policy: nothing is evicted, no command fails, and the report says why it is not complete."""
    await fill(database, 3000, text="x" * 2000)
    used = (await redis.info("memory"))["used_memory"]
    evicted = (await redis.info("stats"))["evicted_keys"]
    await redis.config_set("maxmemory-policy", policy)
    await redis.config_set("maxmemory", used + 3_000_000)
    try:
        report = await warm(database, redis)
        assert "Redis is full" in report.stopped and policy in report.stopped
        assert 0 < report.keys < 3000 and report.tallies[0].state == "stopped"
        assert (await redis.info("stats"))["evicted_keys"] == evicted
    finally:
        await redis.config_set("maxmemory", 0)
        await redis.config_set("maxmemory-policy", "noeviction")


async def test_an_unknown_collection_is_named_with_its_line(database: Database, redis: Redis) -> None:
    await fill(database, 1)
    with pytest.raises(UsageError, match=r"w.yaml:\d+: warmer 'docs': unknown collection 'dcos'; did you mean 'docs'"):
        await warm(database, redis, order({**DOCS, "collection": "dcos"}))


async def test_a_key_with_a_field_that_documents_lack_is_refused_before_anything_is_written(
    database: Database, redis: Redis
) -> None:
    await fill(database, 1)
    with pytest.raises(UsageError, match=r"needs the field 'number', which documents of 'docs' do not have"):
        await warm(database, redis, order({**DOCS, "key": "doc:{number}"}))
    assert not await redis.keys("cache:*")


async def test_one_wrong_warmer_keeps_all_from_writing(database: Database, redis: Redis) -> None:
    """Its documents are seen late, after many of another warmer were ready."""
    await fill(database, 3000)
    await database["late"].insert_many([{"_id": n} for n in range(3000)])
    late = {**DOCS, "name": "late", "collection": "late", "key": "late:{number}", "filter": {"_id": {"$gte": 2999}}}
    with pytest.raises(UsageError, match="warmer 'late'"):
        await warm(database, redis, order(DOCS, late))
    assert not await redis.keys("cache:*")


async def test_an_unknown_club_is_refused(database: Database, redis: Redis) -> None:
    await fill(database, 1)
    await database["clubs"].insert_one({"_id": "club00"})
    with pytest.raises(UsageError, match="unknown club 'club01'; did you mean 'club00'"):
        await warm(database, redis, order(clubs=("club01",)))


async def test_a_dry_run_writes_nothing_and_says_what_would_be_written(database: Database, redis: Redis) -> None:
    """Exact for a small collection, near for one that it only reads the beginning of."""
    await fill(database, 3000)
    await redis.set("cache:doc:d0000000", "{}")
    before = await redis.dbsize()
    plan = await dry_run(order(), OneDatabase(database), redis)
    (about,) = plan.forecasts
    assert await redis.dbsize() == before and plan.fits and not about.exact
    written = await warm(database, redis)
    assert (about.keys, about.documents) == (3000, 3000)
    assert about.bytes == pytest.approx(written.bytes, rel=0.02)


async def test_a_dry_run_says_when_redis_has_no_room(database: Database, redis: Redis) -> None:
    await fill(database, 2000, text="x" * 2000)
    used = (await redis.info("memory"))["used_memory"]
    await redis.config_set("maxmemory", used + 2_000_000)
    try:
        assert not (await dry_run(order(), OneDatabase(database), redis)).fits
    finally:
        await redis.config_set("maxmemory", 0)


async def test_values_may_be_hashes_messagepack_or_one_field_as_it_is(database: Database, redis: Redis) -> None:
    at = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
    rows = [
        {"_id": "a", "name": "Ann", "n": 1, "on": True, "at": at, "none": None, "in": {"x": [1]}, "photo": b"\x00\xff"},
        {"_id": "b", "name": "Ä", "photo": "text"},
    ]
    await database["docs"].insert_many(rows)
    fields = ["name", "n", "on", "at", "none", "in"]
    kinds = {"hash": fields, "msgpack": [*fields, "photo"], "raw": ["photo"]}
    made = [
        {**DOCS, "name": kind, "type": kind, "key": f"{kind}:{{_id}}", "projection": named}
        for kind, named in kinds.items()
    ]
    what = order(*made)
    report = await warm(database, redis, what)
    assert report.keys == 6 and not report.in_vain
    assert await redis.hgetall("cache:hash:a") == {
        b"name": b"Ann", b"n": b"1", b"on": b"true", b"at": b'"2026-11-29T00:00:00.000Z"', b"in": b'{"x":[1]}',
    }  # fmt: skip
    assert await redis.hgetall("cache:hash:b") == {b"name": "Ä".encode()} and await redis.pttl("cache:hash:b") > 3e6
    assert msgpack.unpackb(await redis.get("cache:msgpack:a"))["photo"] == b"\x00\xff"
    assert await redis.get("cache:raw:a") == b"\x00\xff" and await redis.get("cache:raw:b") == b"text"
    assert (await warm(database, redis, what)).keys == 0, "what is there stays"
    found = await FreshnessCheck(what, OneDatabase(database), redis, 100).run()
    assert [(one.sampled, one.stale) for one in found] == [(2, [])] * 3
    await database["docs"].update_many({}, {"$set": {"name": "new", "photo": b"new"}})
    found = await FreshnessCheck(what, OneDatabase(database), redis, 100).run()
    assert [len(one.stale) for one in found] == [2, 2, 2]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"type": "raw", "projection": ["a", "b"]}, "one field as it is"),
        ({"type": "hash", "version": "a", "projection": ["a"]}, "goes without"),
        ({"type": "yaml", "projection": ["a"]}, "json"),
    ],
)
def test_forms_that_cannot_be(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        order({**DOCS, **more})
