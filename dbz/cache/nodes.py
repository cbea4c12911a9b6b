"""The Redis servers behind a client: one, or the primaries of a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

REDIS_ERRORS = (RedisError, RedisClusterException)
"""What either client raises when a server fails; that nobody serves some slots of a cluster is no `RedisError`."""
AnyRedis = Redis | RedisCluster
Call = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]

_SCAN_COUNT = 250
_BATCH = 250


async def _direct(operation: Callable[[], Awaitable[Any]]) -> Any:
    return await operation()


class Nodes:
    """Asks every server that holds keys."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def scan(self, pattern: str, call: Call = _direct) -> AsyncIterator[list[bytes]]:
        """The names that the glob `pattern` matches, in batches fit for one command; all is asked through `call`."""
        for target in await self._targets():
            cursor, batch = 0, list[bytes]()
            while True:
                at = cursor
                cursor, found = await call(lambda at=at, to=target: self._redis.scan(at, pattern, _SCAN_COUNT, **to))  # type: ignore[misc]
                if isinstance(cursor, dict):  # a cluster names the server with its cursor
                    (cursor,) = cursor.values()
                batch += found
                while batch and (cursor == 0 or len(batch) >= _BATCH):
                    part, batch = batch[:_BATCH], batch[_BATCH:]
                    yield part
                if cursor == 0:
                    break

    async def _targets(self) -> list[dict[str, Any]]:
        if isinstance(self._redis, RedisCluster):
            await self._redis.initialize()
            return [{"target_nodes": node} for node in self._redis.get_primaries()]
        return [{}]

    async def unlink(self, names: Sequence[bytes]) -> int:
        """Remove these; returns how many were there."""
        if not isinstance(self._redis, RedisCluster):
            return int(await self._redis.unlink(*names))
        pipe: Any = self._redis.pipeline()
        for name in names:
            pipe.execute_command("UNLINK", name)  # the pipeline's own method is for transactions
        return sum(await pipe.execute())

    async def info(self, *sections: str) -> dict[str, dict[str, Any]]:
        """INFO of each server by `host:port`, with the given sections together."""
        if not isinstance(self._redis, RedisCluster):
            where = self._redis.connection_pool.connection_kwargs
            server = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
            return {server: {key: value for name in sections for key, value in (await self._redis.info(name)).items()}}
        merged: dict[str, dict[str, Any]] = {}
        for name in sections:
            answers = await self._redis.info(name, target_nodes=RedisCluster.PRIMARIES)
            for node, figures in answers.items():
                merged.setdefault(node, {}).update(figures)
        return merged
