"""`dbz cache warm` writes what the server itself would have cached."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from dbz.cache.connect import connected_database
from dbz.cache.warm import OneDatabase, WarmOrder, WarmRun
from dbz.config.warmup import load_warmup
from tests.server.backend import Backend
from tests.server.conftest import SignIn

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
    await redis.flushdb()
    async with connected_database(backend.mongo_uri, "dbz") as database:
        run = WarmRun(WarmOrder(load_warmup(), prefix="warmed:"), OneDatabase(database), redis, None)
        report = await run.run()
    assert not report.stopped
    for page in (*PAGES, "/api/clubs/club00", "/api/clubs/club00/members"):
        assert (await reader.get(page)).status_code == 200
    served, warmed = await _values(redis, "cache:"), await _values(redis, "warmed:")
    await redis.aclose()
    for family in FAMILIES:
        both = [key for key in served if key.startswith(family) and key in warmed]
        assert both, family
        assert {key: served[key] for key in both} == {key: warmed[key] for key in both}
    assert "token" not in str(warmed) and "password" not in str(warmed)
