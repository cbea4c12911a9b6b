"""Whose turn it is to send a game's score: one window for all processes, and never back to an older score."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.cache.layers.remote import CircuitBreaker
from dbz.server.game.scores import STALE, Update

_TIMEOUT_S = 0.25
_KEPT_MS = 60_000

_TAKE = """
local last = redis.call('HMGET', KEYS[1], 'at', 'sent')
if last[1] and tonumber(last[1]) > tonumber(ARGV[1]) then return -1 end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
if last[2] and ms - tonumber(last[2]) < tonumber(ARGV[2]) then return tonumber(ARGV[2]) - (ms - tonumber(last[2])) end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'sent', string.format('%.0f', ms))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0
"""


class Turns:
    """Takes turns through Redis; without Redis each process keeps to its own window."""

    def __init__(self, redis: Redis, window_ms: float) -> None:
        self._window_ms = int(window_ms)
        self._take = redis.register_script(_TAKE)
        self._breaker = CircuitBreaker(threshold=3, rest_s=1.0)

    async def take(self, update: Update) -> float:
        """Seconds until the update may be sent: 0 now (the turn is taken), `STALE` never."""
        if not self._breaker.allows():
            return 0.0
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                names, args = [f"score:{update.game_id}"], [update.at_ms, self._window_ms, _KEPT_MS]
                wait_ms = int(await self._take(keys=names, args=args))
        except (RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return 0.0
        self._breaker.succeeded()
        return STALE if wait_ms < 0 else wait_ms / 1000
