"""Connections to the document store and Redis, and the one way to a club's data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.monitoring import CommandListener
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dbz.mongo_client import async_client
from dbz.server.settings import StoreSettings

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Answer = TypeVar("Answer")


def open_mongo(stores: StoreSettings, listeners: Sequence[CommandListener] = ()) -> AsyncMongoClient[Document]:
    """A client with short timeouts: a request must not wait long for a store that is away, or for its turn.

    Without a limit on the wait for a connection an overload would not end with its cause: the store would go on with
    requests that their clients gave up long ago, and those who ask again would wait behind them.
    """
    timeout_ms = int(stores.timeout_s * 1000)
    return async_client(
        stores.mongo_uri,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        socketTimeoutMS=timeout_ms,
        waitQueueTimeoutMS=timeout_ms,
        maxPoolSize=stores.max_connections,
        tz_aware=True,
        event_listeners=listeners,
    )


def open_redis(stores: StoreSettings) -> Redis:
    """A client that fails at once instead of retrying: its users have an answer for a Redis that is away.

    A crowd waits for a connection. Refused one, it would take Redis for away and fall upon the document store.
    """
    pool = BlockingConnectionPool.from_url(
        stores.redis_url,
        max_connections=stores.max_redis_connections,
        timeout=stores.timeout_s,
        socket_timeout=stores.timeout_s,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return Redis.from_pool(pool)


class ClubRouter:
    """Leads to the database that holds a club's data, and to the directory that all clubs share.

    Every access to club data names its club here and keeps no database between requests, so that a club can move while
    the server runs. This one has a single database; `dbz.server.data.sharding` has shards.
    """

    def __init__(self, mongo: AsyncMongoClient[Document], database: str) -> None:
        self._database: Database = mongo[database]

    def start(self) -> None:
        """Begin background work."""

    async def stop(self) -> None:
        """End background work."""

    async def ping(self) -> None:
        """Whether the stores answer; pymongo's errors when they do not."""
        await self._database.command("ping")

    def club(self, club_id: str) -> Database:  # noqa: ARG002 there is one database for all
        """The database with the posts, games, rooms, messages and notifications of `club_id`."""
        return self._database

    @property
    def version(self) -> int:
        """Of where clubs lie: another one when that has changed, -1 while it is not known."""
        return 0

    async def refresh(self) -> None:
        """What there is to know about where clubs lie, this process hears of by itself."""

    def reading(self, club_id: str) -> Database:  # noqa: ARG002 there is one database for all
        """The database to read a club from now."""
        return self._database

    @property
    def directory(self) -> Database:
        """The database with users, sessions and clubs, which are looked up before the club is known."""
        return self._database

    def shards(self) -> list[Database]:
        """Every database that holds club data."""
        return [self._database]

    async def on_every_shard(self, ask: Callable[[Database], Awaitable[Answer]]) -> list[Answer]:
        """What every database says, in their order; all are asked at once. The first error, when all have answered."""
        found = await asyncio.gather(*map(ask, self.shards()), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if not isinstance(one, BaseException)]
