"""The connections that warming needs: Redis, and the document store or all its shards."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from dbz.cli.cache.stores import StoreAddresses

if TYPE_CHECKING:
    from dbz.cache.nodes import AnyRedis
    from dbz.cache.warm import Databases


async def connect(resources: AsyncExitStack, where: StoreAddresses, database: str) -> tuple[AnyRedis, Databases]:
    """Both, closed with `resources`; `database` is that of users and clubs.

    Raises `UsageError` for what is no address, or leads to the wrong shard, and `DependencyError` for who is away.
    """
    from dbz.cache.admin.connect import connected_database, connected_redis
    from dbz.cache.warm import OneDatabase

    redis = await resources.enter_async_context(connected_redis(where.redis_url))
    if not where.shards:
        return redis, OneDatabase(await resources.enter_async_context(connected_database(where.mongo_uri, database)))
    return redis, await _sharded(resources, where, database)


async def _sharded(resources: AsyncExitStack, where: StoreAddresses, database: str) -> Databases:
    from dbz.cache.admin.connect import connected_database
    from dbz.cache.problems import reported
    from dbz.config.shards import load_shards
    from dbz.shards.follow.read_only import ShardReader

    file, environment = load_shards(where.shards, where.environment), where.environment
    first = file.uri_of(file.names[0], environment)
    uris = {name: environment[variable] for name, variable in file.shards.items() if environment.get(variable)}
    databases = {}
    for name, uri in uris.items():
        opening = connected_database(uri, file.database, f"{name} ({file.shards[name]})")
        databases[name] = await resources.enter_async_context(opening)
    uri = environment.get(file.control, "") if file.control else ""
    opening = connected_database(uri or first, f"{file.database}_control", "the control store")
    control = await resources.enter_async_context(opening)
    directory = await resources.enter_async_context(connected_database(where.mongo_uri or first, database))
    reader = ShardReader(file, databases, control, directory)
    with reported():
        await reader.check()
    return reader
