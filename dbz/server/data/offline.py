"""The stores of a server without the server: for commands that work on its data beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dbz.cache import TwoLayerCache
from dbz.config.shards import load_shards
from dbz.errors import DependencyError
from dbz.server.core import Core
from dbz.server.data.sharding import ShardedRouter
from dbz.server.data.stores import ClubRouter, open_mongo, open_redis
from dbz.server.observe.metrics import Figures
from dbz.server.observe.queries import Queries
from dbz.server.settings import Settings, StoreSettings

_MAP_S = 10.0


@asynccontextmanager
async def offline_core(stores: StoreSettings, environment: Mapping[str, str]) -> AsyncIterator[Core]:
    """What services are given, without a cache that anybody reads; it follows the map of shards as a server does.

    `environment` has the variables of the shards file. `DependencyError` when the map is not found.
    """
    settings = Settings(stores=stores)
    mongo, redis, figures = open_mongo(stores), open_redis(stores), Figures()
    if stores.shards:
        file = load_shards(stores.shards, environment)
        router: ClubRouter = ShardedRouter(file, stores, mongo, redis, environment)
    else:
        router = ClubRouter(mongo, stores.database)
    router.start()
    try:
        deadline = time.monotonic() + _MAP_S
        while router.version < 0:
            if time.monotonic() > deadline:
                raise DependencyError("the map of the shards cannot be read", hint="dbz shard status", code="C003")
            await asyncio.sleep(0.05)
        await router.ping()
        queries = Queries(figures, stores.slow_query_ms)
        yield Core(settings, router, redis, TwoLayerCache(redis), queries, figures)
    finally:
        await router.stop()
        await redis.aclose()
        await mongo.close()
