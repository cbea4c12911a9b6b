"""Whether Redis, a document store and shards can be reached, and permit what dbz needs of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from pymongo.errors import PyMongoError
from redis.exceptions import NoPermissionError

from dbz.cache.admin.connect import connected_redis, shown
from dbz.cache.nodes import REDIS_ERRORS, AnyRedis
from dbz.config.shards import Shards
from dbz.doctor.findings import Diagnosis, Fitness, refused
from dbz.errors import DbzError, DependencyError
from dbz.mongo_client import blocking_client, driver_text
from dbz.shards.deployment import Deployment
from dbz.units import counted, format_bytes

_TIMEOUT_MS = 4000
_CACHE_COMMANDS: Sequence[Sequence[str]] = (
    ("GET", "cache:x"),
    ("SETEX", "cache:x", "1", "x"),
    ("DEL", "cache:x"),
    ("UNLINK", "cache:x"),
    ("TTL", "cache:x"),
    ("SCAN", "0"),
    ("EVALSHA", "0" * 40, "0"),
    ("PUBLISH", "cache:x", "x"),
)
"""What warming, looking and invalidating send, with keys as they have them."""


async def look_at_redis(url: str) -> AsyncIterator[Diagnosis]:
    """Whether it answers, what it is, how full it is, and what this user may do there."""
    try:
        async with connected_redis(url) as redis:
            yield await _server(url, redis)
            yield await _permissions(redis)
    except (DbzError, *REDIS_ERRORS, OSError, TimeoutError) as error:
        yield refused("redis", "reached", _as_dbz_error(f"Redis at {shown(url)}", error))


async def _server(url: str, redis: AnyRedis) -> Diagnosis:
    told = await redis.info()
    nodes = list(told.values()) if told and all(isinstance(part, dict) for part in told.values()) else [told]
    used, limit = (sum(int(node.get(key, 0)) for node in nodes) for key in ("used_memory", "maxmemory"))
    of = f" of {format_bytes(limit)}" if limit else ", without a limit"
    what = f"version {nodes[0].get('valkey_version') or nodes[0].get('redis_version', 'unknown')}"
    text = f"{shown(url)}: {what}, {counted(len(nodes), 'node')}, {format_bytes(used)} in use{of}"
    if limit and used > 0.9 * limit:
        return Diagnosis(
            "redis", "reached", Fitness.POOR, text, "it is nearly full: what is written throws out the rest"
        )
    return Diagnosis("redis", "reached", Fitness.GOOD, text)


async def _permissions(redis: AnyRedis) -> Diagnosis:
    """By ACL DRYRUN (Redis 7), which says what a user may do without doing it."""
    try:
        user = await redis.execute_command("ACL WHOAMI")
        name = user.decode() if isinstance(user, bytes) else str(user)
        denied = []
        for command in _CACHE_COMMANDS:
            answer = await redis.execute_command("ACL DRYRUN", name, *command)
            if answer not in (b"OK", "OK", True):
                denied.append(command[0])
    except NoPermissionError:
        return Diagnosis(
            "redis", "rights", Fitness.GOOD, "this user may not ask what it may: a command that is refused is named"
        )
    except REDIS_ERRORS:
        return Diagnosis("redis", "rights", Fitness.GOOD, "this server cannot say (ACL DRYRUN is of Redis 7)")
    if denied:
        cure = "docs/cache.md lists what a user must be permitted"
        return Diagnosis("redis", "rights", Fitness.BAD, f"{name} may not: {', '.join(denied)}", cure)
    return Diagnosis("redis", "rights", Fitness.GOOD, f"{name} may do all that dbz cache needs")


def look_at_store(uri: str, database: str) -> Iterator[Diagnosis]:
    """Whether the document store answers, and has something in the database."""
    try:
        with blocking_client(uri, serverSelectionTimeoutMS=_TIMEOUT_MS) as client:
            version = client.admin.command("buildInfo").get("version", "unknown")
            names = client[database].list_collection_names()
    except (PyMongoError, ValueError, OSError) as error:
        text = f"{shown(uri)}: {driver_text(error)}"
        yield Diagnosis("store", "reached", Fitness.BAD, text, "is it started, and is the URI right?")
        return
    text = f"{shown(uri)}: version {version}, {counted(len(names), 'collection')} in '{database}'"
    if names:
        yield Diagnosis("store", "reached", Fitness.GOOD, text)
    else:
        yield Diagnosis("store", "reached", Fitness.POOR, text, "is this the right database? --database NAME")


def look_at_shards(file: Shards) -> Iterator[Diagnosis]:
    """Whether each shard answers."""
    try:
        deployment = Deployment(file)
    except DbzError as error:
        yield refused("shards", "file", error)
        return
    with deployment:
        for name in file.shards:
            try:
                with deployment.reaching(name):
                    count = len(deployment.shard(name).list_collection_names())
                yield Diagnosis("shards", name, Fitness.GOOD, f"answers, {counted(count, 'collection')}")
            except DbzError as error:
                yield refused("shards", name, error)


def _as_dbz_error(what: str, error: Exception) -> DbzError:
    return (
        error
        if isinstance(error, DbzError)
        else DependencyError(f"{what}: {str(error) or type(error).__name__}", code="C003")
    )
