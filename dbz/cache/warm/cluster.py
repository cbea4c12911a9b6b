"""Writing into a Redis Cluster, where no script may touch keys of several slots at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster

from dbz.cache.layers.invalidations import matches_any
from dbz.cache.layers.lua import EPOCH, NOT_NEWER, PUT_IF_OLDER
from dbz.cache.layers.remote import parse_line
from dbz.cache.names import Names
from dbz.cache.nodes import Nodes
from dbz.cache.warm.items import Item
from dbz.cache.warm.writer import Written

_NOW = EPOCH + "return e"
_NEWS = NOT_NEWER + "return {e, 'same'}"
_PUT = PUT_IF_OLDER + "return put(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])"


class ClusterWriter:
    """Writes key by key, looks what was invalidated meanwhile, and takes that back.

    A value that becomes stale in the moment of its writing may so be read for as long as one batch takes; it is
    removed at once. An existing key is never overwritten, or with a `version` only when its own is lower.
    """

    def __init__(self, redis: RedisCluster, prefix: str, version: str = "") -> None:
        self._redis = redis
        self._names = Names(prefix)
        self._version = version
        self._now = redis.register_script(_NOW)
        self._news = redis.register_script(_NEWS)

    async def epoch(self) -> str:
        """See `Writer`."""
        now: bytes = await self._now(keys=[self._names.epoch])
        return now.decode()

    async def write(self, items: Sequence[Item], epoch: str) -> Written:
        """See `Writer`."""
        stale, lost = await self._stale(items, epoch)
        if lost:
            return Written(0, 0, list(items), lost=True)
        gone = {item.key for item in stale}
        fresh = [item for item in items if item.key not in gone]
        answers = await self._set(fresh)
        written = [item for item, answer in zip(fresh, answers, strict=True) if answer]
        late, lost = await self._stale(written, epoch)
        if late:
            await Nodes(self._redis).unlink([self._names.entry(item.key).encode() for item in late])
        taken_back = {item.key for item in late}
        kept = [item for item in written if item.key not in taken_back]
        size = sum(len(self._names.entry(item.key).encode()) + len(item.value) for item in kept)
        return Written(len(kept), size, [*stale, *late], lost)

    async def _stale(self, items: Sequence[Item], epoch: str) -> tuple[list[Item], bool]:
        """Those items that were invalidated after `epoch`; all of them, and True, when that cannot be told."""
        _, outcome, *lines = await self._news(keys=[self._names.epoch, self._names.log], args=[epoch])
        if outcome == b"unknown":
            return list(items), True
        patterns = [parse_line(line).pattern for line in lines] if outcome == b"newer" else []
        return [item for item in items if matches_any(item.key, patterns)], False

    async def _set(self, items: Sequence[Item]) -> list[Any]:
        pipe: Any = self._redis.pipeline()
        for item in items:
            name = self._names.entry(item.key)
            if self._version:  # by its text: a primary that has just taken over knows no script
                pipe.execute_command("EVAL", _PUT, 1, name, item.value, item.ttl_ms, self._version, item.version)
            else:
                pipe.set(name, item.value, px=item.ttl_ms, nx=True)
        return list(await pipe.execute()) if items else []
