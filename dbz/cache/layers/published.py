"""Putting the figures of a process's cache into Redis, where those who look at the whole cache read them."""

from __future__ import annotations

import os
import socket
import time

import orjson
from redis.asyncio import Redis

from dbz.cache.layers.stats import KEPT_S
from dbz.cache.layers.twolayer import TwoLayerCache


async def publish(redis: Redis, cache: TwoLayerCache) -> None:
    """Put the figures of this process's cache into Redis; raises redis-py's errors."""
    figures = {
        "at_s": time.time(),
        "entries": len(cache.local),
        "size_bytes": cache.local.size_bytes,
        "max_bytes": cache.limits.max_bytes,
        **cache.stats.document(),
    }
    # The end tells the caches of one process apart, and a process from an earlier one with its id.
    name = f"{socket.gethostname()}:{os.getpid()}:{cache.remote.origin[:6]}"
    where = cache.remote.names.statistics
    async with redis.pipeline(transaction=False) as pipe:
        pipe.hset(where, name, orjson.dumps(figures))
        pipe.expire(where, KEPT_S)
        await pipe.execute()
