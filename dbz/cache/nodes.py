"""The Redis servers behind a client: one, or the primaries of a cluster."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

AnyRedis = Redis | RedisCluster


class Nodes:
    """Asks every server that holds keys."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def clients(self) -> list[tuple[str, Any]]:
        """`host:port` and a client of each server."""
        if isinstance(self._redis, RedisCluster):
            await self._redis.initialize()
            return [(node.name, node) for node in self._redis.get_primaries()]
        where = self._redis.connection_pool.connection_kwargs
        return [(where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}", self._redis)]

    async def info(self, *sections: str) -> list[dict[str, Any]]:
        """INFO of each server, with the given sections together."""
        if not isinstance(self._redis, RedisCluster):
            return [{key: value for name in sections for key, value in (await self._redis.info(name)).items()}]
        merged: dict[str, dict[str, Any]] = {}
        for name in sections:
            answers = await self._redis.info(name, target_nodes=RedisCluster.PRIMARIES)
            for node, figures in answers.items():
                merged.setdefault(node, {}).update(figures)
        return list(merged.values())
