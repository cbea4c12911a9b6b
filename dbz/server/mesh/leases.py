"""Discovery: each instance of a service keeps a lease in Redis for as long as it serves, and everybody reads them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end

LOOKS_IN_A_LEASE = 6
"""How often everybody reads the leases while one lasts."""

# By the clock of Redis, which is the same for all.
_RENEW = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) * 10)
if ARGV[3] == '1' then redis.call('PUBLISH', KEYS[1], ARGV[1]) end
return 1
"""
_LIVE = """
local now = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), '+inf')
"""
_AWAY = (RedisError, OSError, TimeoutError)
_log = logging.getLogger(__name__)


def _key(mesh: str) -> str:
    return f"mesh:{mesh}:leases"


class ServiceLease:
    """One instance's own lease: renewed three times in `lease_s` seconds until it is given up, or its process ends."""

    def __init__(self, redis: Redis, mesh: str, service: str, url: str, lease_s: float) -> None:
        self._redis = redis
        self._key = _key(mesh)
        self._member = f"{service} {url}"
        self._lease_s = lease_s
        self._renew = redis.register_script(_RENEW)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take the lease as soon as Redis answers, and keep it."""
        self._task = asyncio.create_task(self._keep())

    async def give_up(self) -> None:
        """Give the lease back: nobody begins a call here any more once they have looked again."""
        if self._task is not None:
            await end([self._task])
            self._task = None
            with contextlib.suppress(*_AWAY):
                await self._redis.zrem(self._key, self._member)

    async def _keep(self) -> None:
        new = 1  # also where the lease of a process that was killed has not run out
        while True:
            try:
                await self._renew(keys=[self._key], args=[self._member, int(self._lease_s * 1000), new])
                new = 0
            except _AWAY as error:
                _log.warning("the lease of this service could not be renewed: %s", error)
            await asyncio.sleep(self._lease_s / 3)


class Directory:
    """The instances of every service, by leases. While Redis is away the last ones known stay."""

    def __init__(self, redis: Redis, mesh: str, lease_s: float) -> None:
        self._redis = redis
        self._key = _key(mesh)
        self._every_s = lease_s / LOOKS_IN_A_LEASE
        self._live = redis.register_script(_LIVE)
        self._urls: dict[str, tuple[str, ...]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.on_begin: Callable[[str, str], None] | None = None
        """Called with the service and the base URL of an instance that has just begun to serve."""

    def start(self) -> None:
        """Begin to look, and to listen."""
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        """Stop both."""
        await end(self._tasks)

    def urls(self, service: str) -> tuple[str, ...]:
        """The base URLs of a service's instances."""
        return self._urls.get(service, ())

    async def look(self) -> None:
        """Read the leases now; Redis's errors when it is away."""
        members: Iterable[bytes] = await self._live(keys=[self._key])
        urls: dict[str, list[str]] = {}
        for member in sorted(members):
            service, _, url = member.decode().partition(" ")
            urls.setdefault(service, []).append(url)
        self._urls = {service: tuple(found) for service, found in urls.items()}

    async def _follow(self) -> None:
        while True:
            try:
                await self.look()
            except _AWAY as error:
                _log.warning("the leases of the services could not be read: %s", error)
            await asyncio.sleep(self._every_s)

    async def _listen(self) -> None:
        """Learn at once of instances that begin; `_follow` is the net under this."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._key)
                    while True:
                        message = await channel.get_message(timeout=60.0)
                        if message is not None:
                            await self.look()
                            service, _, url = message["data"].decode().partition(" ")
                            if self.on_begin is not None:
                                self.on_begin(service, url)
            except _AWAY:
                await asyncio.sleep(1.0)
