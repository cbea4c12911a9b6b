"""A lease in Redis: one holder at a time over all processes, for as long as he renews it."""

from __future__ import annotations

import asyncio
import secrets

from redis.asyncio import Redis

_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisLease:
    """The lease `name`. Redis's errors pass through: without it nobody holds a lease.

    It keeps two from working side by side, and no more: a holder that was stopped for long does not know that it lost
    it, and Redis may forget it. Whoever writes under a lease must have the store refuse what comes too late. With a
    `holder` it is his also in other processes: what he does step by step may be done by one after the other.
    """

    def __init__(self, redis: Redis, name: str, ttl_s: float, holder: str = "") -> None:
        self._redis = redis
        self._name = name
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._token = holder or secrets.token_hex(16)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def take(self) -> bool:
        """Whether it is ours now."""
        return bool(await self._redis.set(self._name, self._token, nx=True, px=self._ttl_ms))

    async def renew(self) -> bool:
        """Whether it is still ours, for the whole time again."""
        return bool(await self._renew(keys=[self._name], args=[self._token, self._ttl_ms]))

    async def release(self) -> None:
        """Let others have it; one that is not ours any more stays."""
        await self._release(keys=[self._name], args=[self._token])

    async def keep(self) -> None:
        """Renew until it is lost."""
        while True:
            await asyncio.sleep(self._ttl_ms / 3000)
            if not await self.renew():
                return
