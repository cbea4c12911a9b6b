"""How much one client may ask, counted over all gateway processes."""

from __future__ import annotations

import time
from collections import OrderedDict

from redis.asyncio import Redis

from dbz.server.limits import RateLimits
from dbz.server.settings import Mesh, Rate

_BLOCKS = 10
"""A client's rate is handed out in so many parts: a process asks Redis once for a part, not for every request."""
_KNOWN = 20_000


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
        self._left: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    async def allows(self, kind: str, client: str) -> bool:
        """Count one request; False when it is one too many."""
        key, now_s = (kind, client), time.monotonic()
        left, until_s = self._left.get(key, (0, 0.0))
        if left <= 0 or now_s >= until_s:
            if not await self._limits.allows(kind, client):
                return False
            left, until_s = self._size[kind], now_s + self.rates[kind].window_s
        self._left[key] = (left - 1, until_s)
        self._left.move_to_end(key)
        if len(self._left) > _KNOWN:
            self._left.popitem(last=False)
        return True
