"""`dbz cache warm` writes what the server itself would have cached."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from dbz.cache import TwoLayerCache
from dbz.cache.admin.connect import connected_database
from dbz.cache.warm import OneDatabase, WarmOrder, WarmRun
from dbz.config.warmup import load_warmup
from tests.children.forked import run_module
from tests.server.backend import Backend, seed, start_server
from tests.server.clients import SignIn, eventually

pytestmark = pytest.mark.anyio

FAMILIES = ("post:", "game:", "member:", "club:", "query:posts:", "query:games:", "query:members:")
PAGES = ("/api/posts?limit=10", "/api/posts?page=2", "/api/games?status=ongoing", "/api/games?limit=10", "/api/me")


async def _values(redis: Redis, prefix: str) -> dict[str, Any]:
    keys = [key async for key in redis.scan_iter(f"{prefix}*", count=1000) if await redis.type(key) == b"string"]
    values = await redis.mget(keys)
    return {
        key.decode().removeprefix(prefix): orjson.loads(value)
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


async def test_warmed_values_are_those_that_the_server_loads(backend: Backend, sign_in: SignIn) -> None:
    """The same keys, the same values: whoever reads a warmed key gets what the server would have given."""
    reader = await sign_in("user0021")
    redis = Redis.from_url(backend.redis_url)
    await TwoLayerCache(redis).invalidate("*")
    async with connected_database(backend.mongo_uri, "dbz") as database:
        run = WarmRun(WarmOrder(load_warmup(), prefix="warmed:"), OneDatabase(database), redis, None)
        report = await run.run()
    assert not report.stopped

    async def all_loaded() -> bool:
        for page in (*PAGES, "/api/clubs/club00", "/api/clubs/club00/members"):
            assert (await reader.get(page)).status_code == 200
        keys = [key.decode() async for key in redis.scan_iter("cache:*")]
        return all(any(key.startswith(f"cache:{family}") for key in keys) for family in FAMILIES)

    await eventually(all_loaded)  # the process forgets what earlier tests have read once it hears of it
    served, warmed = await _values(redis, "cache:"), await _values(redis, "warmed:")
    await redis.aclose()
    for family in FAMILIES:
        both = [key for key in served if key.startswith(family) and key in warmed]
        assert both, family
        assert {key: served[key] for key in both} == {key: warmed[key] for key in both}
    assert "token" not in str(warmed) and "password" not in str(warmed)


async def test_one_of_the_processes_warms_the_cache_at_start(folder: Path, stores: tuple[str, str]) -> None:
    """All keys are there before anybody has asked; the others leave it to the first."""
    child, where = start_server(folder, stores[0], f"{stores[1]}/5", ["--processes", "2"])
    async with Redis.from_url(stores[1], db=5) as redis:
        with child:
            await eventually(lambda: "the cache is warm" in where.log.read_text())
            keys = {key async for key in redis.scan_iter("cache:*")}
    assert where.log.read_text().count("the cache is warm") == 1
    assert {b"cache:post:club00-p00", b"cache:query:games:club02:ongoing::::1:10", b"cache:band:club01"} <= keys


async def test_a_server_waits_for_the_demo_data_to_be_complete(folder: Path, stores: tuple[str, str]) -> None:
    """Lists of half the posts would be wrong for minutes."""
    async with connected_database(stores[0], "half") as database, Redis.from_url(stores[1], db=6) as redis:
        await database["seeds"].insert_one({"_id": "demo", "complete": False})
        await database["clubs"].insert_one({"_id": "club00"})
        child, where = start_server(folder, stores[0], f"{stores[1]}/6", ["--database", "half"])
        with child:
            await asyncio.sleep(0.6)
            assert not [key async for key in redis.scan_iter("cache:query*")]
            await asyncio.to_thread(seed, folder, "--mongo-uri", stores[0], "--database", "half", "--clubs", "1")
            await eventually(lambda: "the cache is warm" in where.log.read_text())
        listed = orjson.loads(await redis.get("cache:query:posts:club00:1:20::") or b"{}")
        assert listed["total"] == 56
        await database.client.drop_database("half")


def test_a_wrong_warm_up_file_is_refused_before_serving(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("schema: dbz.warmup/1\nwarmers: []\n")
    done = run_module("dbz.server.__main__", "--warmup", str(tmp_path / "w.yaml"))
    assert done.returncode == 2 and "w.yaml:2" in done.stderr and "Traceback" not in done.stderr
