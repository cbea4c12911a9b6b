"""How far a warm-up has come, kept in Redis beside what it wrote: what forgets the keys forgets the checkpoint too."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Any

from bson import json_util

from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis
from dbz.config.warmup import Warmer

DONE = "done"
_KEPT_S = 600.0
_SAVE_EVERY_S = 0.25


class Checkpoint:
    """Positions of the warmers of one kind of warm-up. It is gone before the first of its keys can be.

    `places` says what the positions refer to: when clubs lie elsewhere, there are none.
    """

    def __init__(self, redis: AnyRedis, prefix: str, warmers: list[Warmer], clubs: Iterable[str], places: str) -> None:
        text = repr([one.model_dump() for one in warmers]) + repr(sorted(clubs)) + places
        self._redis: Any = redis
        self._key = Names(prefix).checkpoint(hashlib.sha256(text.encode()).hexdigest()[:16])
        self._keep_ms = int(min(_KEPT_S, *(one.ttl / 2 for one in warmers)) * 1000)
        self._save_at: dict[str, float] = {}

    async def load(self) -> dict[str, Any]:
        """{warmer: its position, or `DONE`}."""
        stored = await self._redis.hgetall(self._key)
        return {name.decode(): json_util.loads(text) for name, text in stored.items()}

    async def save(self, warmer: str, position: Any) -> None:
        """Remember a position; most calls do nothing, because a position that is a little old is as good."""
        now = time.monotonic()
        if position != DONE and now < self._save_at.get(warmer, 0.0):
            return
        self._save_at[warmer] = now + _SAVE_EVERY_S
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(self._key, warmer, json_util.dumps(position))
        pipe.pexpire(self._key, self._keep_ms)
        await pipe.execute()

    async def remove(self) -> None:
        """The warm-up is complete, or is to begin anew."""
        await self._redis.unlink(self._key)
