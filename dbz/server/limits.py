"""Rate limits of a user, counted over all processes in Redis and in this process when Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from dbz.cache.layers.remote import CircuitBreaker
from dbz.server.settings import Rate

_SWEEP_EVERY = 2000
_TIMEOUT_S = 0.5

# A log of the last actions, exact over any window, with at most `limit` entries a user.
_ALLOW = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local oldest = redis.call('LINDEX', KEYS[1], 0)
if oldest and redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  if ms - tonumber(oldest) < tonumber(ARGV[2]) then return 0 end
  redis.call('LPOP', KEYS[1])
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', ms))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


_IS_SPENT = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local oldest = redis.call('LINDEX', KEYS[1], 0)
local full = oldest and redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[1])
if full and ms - tonumber(oldest) < tonumber(ARGV[2]) then return 1 end
return 0
"""


class RateLimits:
    """Says whether a user may act; `rates` are by action."""

    def __init__(self, redis: Redis, rates: dict[str, Rate]) -> None:
        self._rates = rates
        self._allow = redis.register_script(_ALLOW)
        self._spent = redis.register_script(_IS_SPENT)
        self._breaker = CircuitBreaker(threshold=3, rest_s=1.0)
        self._seen: dict[tuple[str, str], deque[float]] = {}
        self._until_sweep = _SWEEP_EVERY

    async def allows(self, action: str, user_id: str) -> bool:
        """Count one action of the user; False when it is one too many."""
        if not self._allows_here(action, user_id):
            return False
        return await self._ask(self._allow, action, user_id, unknown=True)

    async def is_spent(self, action: str, user_id: str) -> bool:
        """Whether the next action of the user would be one too many; it is not counted."""
        rate, times = self._rates[action], self._seen.get((action, user_id))
        if times is not None and len(times) == rate.limit and time.monotonic() - times[0] < rate.window_s:
            return True
        return await self._ask(self._spent, action, user_id, unknown=False)

    async def _ask(self, script: AsyncScript, action: str, user_id: str, *, unknown: bool) -> bool:
        """What Redis says for all processes together; `unknown` when it is away."""
        rate = self._rates[action]
        if not self._breaker.allows():
            return unknown
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                args = [rate.limit, int(rate.window_s * 1000)]
                answer = await script(keys=[f"rate:{action}:{user_id}"], args=args)
        except (RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return unknown
        self._breaker.succeeded()
        return bool(answer)

    def _allows_here(self, action: str, user_id: str) -> bool:
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self.clean_up()
        rate, now = self._rates[action], time.monotonic()
        times = self._seen.setdefault((action, user_id), deque(maxlen=rate.limit))
        if len(times) == rate.limit and now - times[0] < rate.window_s:
            return False
        times.append(now)
        return True

    def clean_up(self) -> int:
        """Forget users who did nothing for a whole window; returns how many entries went."""
        self._until_sweep = _SWEEP_EVERY
        now = time.monotonic()
        old = [key for key, times in self._seen.items() if now - times[-1] > self._rates[key[0]].window_s]
        for key in old:
            del self._seen[key]
        return len(old)
