"""Rate limits of a user, counted over all processes in Redis and in this process when Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.cache.layers.remote import CircuitBreaker
from dbz.server.settings import Rate

_SWEEP_EVERY = 2000
_TIMEOUT_S = 0.5

# A log of the last actions, exact over any window, with at most `limit` entries a user. A second action's is only
# looked at: where that one is spent, nothing is allowed and nothing counted.
_ALLOW = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
if KEYS[2] then
  local first = redis.call('LINDEX', KEYS[2], 0)
  local full = first and redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[3])
  if full and ms - tonumber(first) < tonumber(ARGV[4]) then return 0 end
end
local oldest = redis.call('LINDEX', KEYS[1], 0)
if oldest and redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  if ms - tonumber(oldest) < tonumber(ARGV[2]) then return 0 end
  redis.call('LPOP', KEYS[1])
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', ms))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class RateLimits:
    """Says whether a user may act; `rates` are by action."""

    def __init__(self, redis: Redis, rates: dict[str, Rate]) -> None:
        self._rates = rates
        self._allow = redis.register_script(_ALLOW)
        self._breaker = CircuitBreaker(threshold=3, rest_s=1.0)
        self._seen: dict[tuple[str, str], deque[float]] = {}
        self._until_sweep = _SWEEP_EVERY

    async def allows(self, action: str, user_id: str, unless_spent: str = "") -> bool:
        """Count one action of the user; False when it is one too many.

        False too, and then it is not counted, when the user's next action `unless_spent` would be one too many.
        """
        actions = [action, unless_spent] if unless_spent else [action]
        if (unless_spent and self._is_spent_here(unless_spent, user_id)) or not self._allows_here(action, user_id):
            return False
        if not self._breaker.allows():
            return True
        rates = [self._rates[name] for name in actions]
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._allow(
                    keys=[f"rate:{name}:{user_id}" for name in actions],
                    args=[number for rate in rates for number in (rate.limit, int(rate.window_s * 1000))],
                )
        except (RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return True
        self._breaker.succeeded()
        return bool(answer)

    def _is_spent_here(self, action: str, user_id: str) -> bool:
        rate, times = self._rates[action], self._seen.get((action, user_id))
        return times is not None and len(times) == rate.limit and time.monotonic() - times[0] < rate.window_s

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
