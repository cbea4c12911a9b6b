"""The figures that each process puts into Redis, and reading those of all of them."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from redis.asyncio import Redis

from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis

if TYPE_CHECKING:
    from dbz.cache.layers.twolayer import TwoLayerCache

PUBLISH_S = 1.0
_FRESH_S = 5.0
_KEPT_S = 60

Counts = dict[str, dict[str, dict[str, int]]]
"""{family: {layer: {outcome: number of keys}}}"""


@dataclass(frozen=True)
class ProcessFigures:
    """One process: its local layer's entries and bytes, what it was asked for, and what it is asked for most."""

    name: str
    at_s: float
    entries: int
    size_bytes: int
    max_bytes: int
    families: Counts
    hottest: list[tuple[str, int]]
    loads: int
    load_errors: int = 0
    load_s: float = 0.0


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
        pipe.expire(where, _KEPT_S)
        await pipe.execute()


async def processes(redis: AnyRedis, names: Names) -> list[ProcessFigures]:
    """The figures of all processes that have published some in the last seconds; forgets those that are long gone."""
    client: Any = redis
    found = []
    for name, text in (await client.hgetall(names.statistics)).items():
        figures = orjson.loads(text)
        age_s = time.time() - figures["at_s"]
        if age_s > _KEPT_S:
            await client.hdel(names.statistics, name)
        if abs(age_s) <= _FRESH_S:
            figures["hottest"] = [(key, count) for key, count in figures["hottest"]]
            found.append(ProcessFigures(name=name.decode(), **figures))
    return sorted(found, key=lambda one: one.name)


def added_up(each: list[ProcessFigures]) -> Counts:
    """The counts of all processes together."""
    total: Counts = {}
    for process in each:
        for family, layers in process.families.items():
            for layer, outcomes in layers.items():
                into = total.setdefault(family, {}).setdefault(layer, {})
                for outcome, count in outcomes.items():
                    into[outcome] = into.get(outcome, 0) + count
    return total
