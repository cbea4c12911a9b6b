"""How much one client may ask, counted over all gateway processes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from redis.asyncio import Redis

from dbz.server.pacing.limits import RateLimits
from dbz.server.settings import Mesh, Rate

_BLOCKS = 10
"""A client's rate is handed out in so many parts: a process asks Redis once for a part, not for every request."""
_KNOWN = 20_000
_Client = tuple[str, str]
"""Which rate, and whose."""


class ClientLimits:
    """Says whether a client may ask; by its user, or by its address while nobody knows who it is.

    Between several processes a client may get at most one part of the rate more from each of them.
    """

    def __init__(self, redis: Redis, settings: Mesh) -> None:
        rates = {"client": settings.client_rate, "anonymous": settings.anonymous_rate}
        self.rates = rates
        self._size = {kind: max(1, rate.limit // _BLOCKS) for kind, rate in rates.items()}
        blocks = {
            kind: Rate(limit=max(1, rate.limit // self._size[kind]), window_s=rate.window_s)
            for kind, rate in rates.items()
        }
        self._limits = RateLimits(redis, blocks)
        self._left: OrderedDict[_Client, tuple[int, float]] = OrderedDict()
        self._asking: dict[_Client, asyncio.Task[bool]] = {}

    async def allows(self, kind: str, client: str) -> bool:
        """Count one request; False when it is one too many."""
        key = kind, client
        while True:
            left, until_s = self._left.get(key, (0, 0.0))
            if left > 0 and time.monotonic() < until_s:
                self._left[key] = (left - 1, until_s)
                self._left.move_to_end(key)
                return True
            # Requests that come at the same time share one part; one that its client gave up takes it from nobody.
            if not await asyncio.shield(self._asking.get(key) or self._ask(key)):
                return False

    def _ask(self, key: _Client) -> asyncio.Task[bool]:
        asking = self._asking[key] = asyncio.create_task(self._take_part(key))
        return asking

    async def _take_part(self, key: _Client) -> bool:
        kind, _ = key
        try:
            if not await self._limits.allows(*key):
                return False
            self._left[key] = (self._size[kind], time.monotonic() + self.rates[kind].window_s)
            if len(self._left) > _KNOWN:
                self._left.popitem(last=False)
            return True
        finally:
            # In the same step as it ends: who found it ended would ask it again and again, and let nobody else run.
            self._asking.pop(key, None)
