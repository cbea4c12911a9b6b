"""A real Redis for the cache tests, and caches as several processes would have them."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dbz.cache import CacheLimits, CacheSync, TwoLayerCache
from dbz.cache.admin.connect import connected_database
from dbz.cache.warm.databases import Database
from dbz.children import Child, free_port
from tests.server.backend import mongo_uri, start_mongo, start_redis


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"


@dataclass
class RedisServer:
    """A Redis that a test may stop and start again on the same port."""

    folder: Path
    port: int
    child: Child

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; what it held is gone."""
        self.child.stop()

    def start(self) -> None:
        """Start it again, empty."""
        self.child = start_redis(self.folder, self.port)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the session."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    port = free_port()
    server = RedisServer(folder, port, start_redis(folder, port))
    yield server
    server.stop()
    shutil.rmtree(folder)


@dataclass
class MongoServer:
    """A document store that a test may kill and start again; each test uses a database of its own."""

    folder: Path
    port: int
    child: Child

    @property
    def uri(self) -> str:
        """Where it listens."""
        return mongo_uri(self.port)


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """One document store for the session."""
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    port = free_port()
    server = MongoServer(folder, port, start_mongo(folder, port))
    yield server
    server.child.stop()
    shutil.rmtree(folder)


@pytest.fixture
async def database(mongo_server: MongoServer) -> AsyncIterator[Database]:
    """An empty database."""
    async with connected_database(mongo_server.uri, f"test_{uuid.uuid4().hex[:12]}") as one:
        yield one
        await one.client.drop_database(one.name)


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of the Redis, which is empty at first and has no limit."""
    client = Redis.from_url(redis_server.url, retry=Retry(NoBackoff(), 0), socket_timeout=5)
    await client.flushall()
    yield client
    await client.aclose()


@dataclass
class Process:
    """The cache of one process, with its connection and background work."""

    cache: TwoLayerCache
    redis: Redis
    sync: CacheSync


MakeProcess = Callable[..., Awaitable[Process]]


@pytest.fixture
async def process(redis_server: RedisServer) -> AsyncIterator[MakeProcess]:
    """Makes caches, each like that of a process of its own; Redis is empty at first."""
    async with AsyncExitStack() as stack:

        async def make(poll_s: float = 60.0, prefix: str = "cache:", **limits: float) -> Process:
            redis = Redis.from_url(redis_server.url, retry=Retry(NoBackoff(), 0), socket_timeout=5)
            stack.push_async_callback(redis.aclose)
            chosen = CacheLimits(**{"breaker_rest_s": 0.1, **limits})  # type: ignore[arg-type]
            cache = TwoLayerCache(redis, prefix=prefix, limits=chosen)
            sync = CacheSync(cache, redis, poll_s=poll_s)
            stack.push_async_callback(sync.stop)
            return Process(cache, redis, sync)

        await (await make()).redis.flushall()
        yield make
