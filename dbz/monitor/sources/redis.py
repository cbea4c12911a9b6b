"""Asking a Redis or Valkey for its INFO, and for the lengths of queues in it."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedRedis
from dbz.errors import UsageError
from dbz.masking import masked_text
from dbz.monitor.sources.reading import SourceReading
from dbz.targets.counters import added

DEADLINE_S = 3.0
_COUNTERS = ("total_commands_processed", "evicted_keys", "keyspace_hits", "keyspace_misses")
_DETAILS = {
    "used_memory": "memory_bytes",
    "maxmemory": "memory_limit_bytes",
    "role": "role",
    "connected_slaves": "replicas",
    "master_link_status": "replication_link",
    "mem_fragmentation_ratio": "fragmentation",
}
"""Fields of INFO that are kept beside what rules judge, by their names here."""


class _RedisSource(ABC):
    """What asking a Redis anything has in common; `UsageError` for a URL that is malformed."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        try:
            self._redis = Redis.from_url(url, socket_timeout=DEADLINE_S, socket_connect_timeout=DEADLINE_S)
        except ValueError as error:
            raise UsageError(f"the URL of '{name}' is not valid: {masked_text(str(error))}", code="C001") from None

    async def look(self) -> SourceReading:
        """How it is."""
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                reading = await self._read()
        except TimeoutError:
            return SourceReading(up=False, health=f"no answer within {DEADLINE_S:g} s")
        except (RedisError, OSError, ValueError) as error:
            return SourceReading(up=False, health=masked_text(str(error)) or type(error).__name__)
        reading.up = True
        reading.figures[Watched.PROBE_TIME] = (time.monotonic() - began_s) * 1000
        return reading

    @abstractmethod
    async def _read(self) -> SourceReading:
        """What it says of itself; whatever the client raises."""

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()


class RedisSource(_RedisSource):
    """Asks one Redis again and again."""

    def __init__(self, config: WatchedRedis) -> None:
        super().__init__(config.name, config.url)
        self._before: tuple[float, Mapping[str, float]] | None = None

    async def _read(self) -> SourceReading:
        info: Mapping[str, Any] = await self._redis.info()
        now_s, counters = time.monotonic(), {key: float(info.get(key, 0)) for key in _COUNTERS}
        before, self._before = self._before, (now_s, counters)
        reading = SourceReading(health=f"{info.get('role', 'unknown role')}")
        reading.figures = dict(_gauges(info))
        if before is not None and now_s > before[0]:
            passed = {key: added(counters[key], before[1][key]) for key in _COUNTERS}
            reading.figures[Watched.REQUESTS] = passed["total_commands_processed"] / (now_s - before[0])
            reading.figures[Watched.EVICTIONS] = passed["evicted_keys"] / (now_s - before[0])
            if asked := passed["keyspace_hits"] + passed["keyspace_misses"]:
                reading.figures[Watched.HIT_RATIO] = passed["keyspace_hits"] / asked
        reading.details = {name: info[key] for key, name in _DETAILS.items() if key in info}
        return reading


def _gauges(info: Mapping[str, Any]) -> Mapping[Watched, float]:
    figures = {Watched.CONNECTIONS: float(info["connected_clients"])} if "connected_clients" in info else {}
    if info.get("maxmemory"):
        figures[Watched.MEMORY] = info["used_memory"] / info["maxmemory"]
    if (lag_s := _replication_lag_s(info)) is not None:
        figures[Watched.REPLICATION_LAG] = lag_s * 1000
    return figures


def _replication_lag_s(info: Mapping[str, Any]) -> float | None:
    """Of a replica, since when it has heard nothing of its primary; of a primary, of the replica that is worst.

    A replica says something every second, so that a lag of up to 1 s is none.
    """
    if info.get("role") == "slave":
        if info.get("master_link_status") == "up":
            return max(float(info["master_last_io_seconds_ago"]), 0.0)
        return max(float(info.get("master_link_down_since_seconds", 0)), 0.0)
    replicas = [info.get(f"slave{number}") for number in range(int(info.get("connected_slaves", 0)))]
    lags = [float(replica["lag"]) for replica in replicas if isinstance(replica, Mapping) and "lag" in replica]
    return max(lags, default=None)


class QueueSource(_RedisSource):
    """Asks for the length of one stream or list again and again."""

    def __init__(self, name: str, url: str, key: str, group: str = "") -> None:
        super().__init__(name, url)
        self._key, self._group = key, group

    async def _read(self) -> SourceReading:
        answer: Any = await self._redis.type(self._key)
        kind = answer.decode()
        reading = SourceReading(health=kind if kind != "none" else "empty", details={"kind": kind})
        if kind == "stream":
            groups = await self._groups()
            waiting = await self._waiting(groups)
            reading.figures[Watched.QUEUE_DEPTH] = waiting
            reading.figures[Watched.PENDING_MESSAGES] = float(sum(group["pending"] for group in groups))
            reading.details["length"] = float(await self._redis.xlen(self._key))
        elif kind in ("list", "none"):  # a list that is empty is not there
            length: Any = self._redis.llen(self._key)
            reading.figures[Watched.QUEUE_DEPTH] = float(await length)
        else:
            reading.trouble = f"{self._key} is a {kind}, neither a stream nor a list"
        return reading

    async def _groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = await self._redis.xinfo_groups(self._key)
        named = [group for group in groups if not self._group or group["name"].decode() == self._group]
        if self._group and not named:
            raise ValueError(f"{self._key} has no consumer group '{self._group}'")
        return named

    async def _waiting(self, groups: list[dict[str, Any]]) -> float:
        """How many messages the slowest group has yet to be given; without a group, all that there are.

        Where the server cannot count them, because entries were deleted in between, the length stands for it.
        """
        lags = [float(group["lag"]) for group in groups if group.get("lag") is not None]
        return max(lags) if lags and len(lags) == len(groups) else float(await self._redis.xlen(self._key))
