"""The Redis layer: values, the epoch that orders invalidations, and a circuit breaker around every call.

The epoch is a counter that each invalidation increases, and `log` a sorted set of the patterns by epoch. A value may be
stored only when nothing that matches its key was invalidated after the epoch that its reader saw before it loaded."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.cache.glob import is_literal
from dbz.cache.layers.invalidations import matches_any
from dbz.cache.layers.lua import ANNOUNCE, EPOCH, NOT_NEWER
from dbz.cache.names import Names
from dbz.cache.nodes import Nodes

T = TypeVar("T")

_STORE_ATTEMPTS = 4
LOG_LENGTH = 1000
"""Invalidations that are remembered for those who missed a message."""

_NOW = EPOCH + "return e"
_READ = EPOCH + "return {e, unpack(redis.call('MGET', unpack(KEYS, 2)))}"
_STORE = NOT_NEWER + "redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3]) return {e, 'stored'}"
_ANNOUNCE = ANNOUNCE + "return e"
# In one step with the announcement: nobody who has heard of it can still read the old value.
_REMOVE = ANNOUNCE + "return redis.call('UNLINK', KEYS[4])"


class Invalidation(NamedTuple):
    """One entry of the invalidation log: its epoch, the layer object that caused it, and the glob."""

    epoch: int
    origin: str
    pattern: str


class UnavailableError(Exception):
    """Redis failed, or is being left alone after failures; the cache goes on without it."""


class RemoteLayer:
    """Cached bytes in Redis under `prefix`; every method raises `UnavailableError` when Redis does not serve it."""

    def __init__(self, redis: Redis, prefix: str, breaker: CircuitBreaker, timeout_s: float) -> None:
        self._redis = redis
        self.names = Names(prefix)
        self._timeout_s = timeout_s
        self.breaker = breaker
        self.origin = uuid.uuid4().hex
        self._now = redis.register_script(_NOW)
        self._read = redis.register_script(_READ)
        self._store = redis.register_script(_STORE)
        self._announce = redis.register_script(_ANNOUNCE)
        self._remove = redis.register_script(_REMOVE)

    async def read(self, keys: list[str]) -> tuple[str, list[bytes | None]]:
        """The epoch, and the value of each key or None, of one moment."""
        names = [self.names.epoch, *(self.names.entry(key) for key in keys)]
        epoch, *values = await self._call(lambda: self._read(keys=names))
        return epoch.decode(), values

    async def store(self, key: str, value: bytes, ttl_ms: int, epoch: str) -> bool:
        """Store `value` unless `key` was invalidated after `epoch`; True when it was stored."""
        names = [self.names.epoch, self.names.log, self.names.entry(key)]
        for _ in range(_STORE_ATTEMPTS):
            args = [epoch, value, ttl_ms]
            now, outcome, *lines = await self._call(lambda args=args: self._store(keys=names, args=args))  # type: ignore[misc]
            if outcome == b"stored":
                return True
            if outcome == b"unknown" or matches_any(key, [parse_line(line).pattern for line in lines]):
                return False
            epoch = now.decode()
        return False

    async def invalidate(self, pattern: str) -> int:
        """Raise the epoch, tell every process, and remove the matching keys; returns how many were removed.

        While keys are searched for, somebody may read an old value and keep it: hence a second announcement at the end.
        """
        names = [self.names.epoch, self.names.log, self.names.channel]
        args: list[str | int] = [pattern, LOG_LENGTH, self.origin]
        if is_literal(pattern):
            names.append(self.names.entry(pattern))
            return int(await self._call(lambda: self._remove(keys=names, args=args)))
        await self._call(lambda: self._announce(keys=names, args=args))
        removed = 0
        async for batch in Nodes(self._redis).scan(self.names.glob(pattern), self._call):
            removed += await self._call(lambda batch=batch: self._redis.unlink(*batch))  # type: ignore[misc]
        await self._call(lambda: self._announce(keys=names, args=args))
        return removed

    async def since(self, epoch: int) -> tuple[int, list[Invalidation] | None]:
        """The epoch now, and the invalidations after `epoch`; None when the log does not reach back so far."""
        now = int(await self._call(lambda: self._now(keys=[self.names.epoch])))
        if now == epoch:
            return now, []
        lines = await self._call(lambda: self._redis.zrangebyscore(self.names.log, f"({epoch}", "+inf"))
        complete = now > epoch and len(lines) >= now - epoch
        return now, [parse_line(line) for line in lines] if complete else None

    async def _call(self, operation: Callable[[], Awaitable[T]]) -> T:
        if not self.breaker.allows():
            raise UnavailableError("Redis is left alone after failures")
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await operation()
        except (RedisError, OSError, TimeoutError) as error:
            self.breaker.failed()
            raise UnavailableError(str(error)) from error
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return result


def parse_line(line: Any) -> Invalidation:
    """One log line or published message."""
    epoch, origin, pattern = line.decode(errors="surrogateescape").split("|", 2)
    return Invalidation(int(epoch), origin, pattern)


class CircuitBreaker:
    """Closed while calls succeed; open for `rest_s` seconds after `threshold` failures running; then one trial call."""

    def __init__(self, threshold: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._closed_again_at = 0.0
        self._on_trial = False
        self.opened = 0
        """How often it has opened after it was closed."""

    @property
    def state(self) -> Literal["closed", "half-open", "open"]:
        """Half-open: the rest is over, and a trial call may be made or is under way."""
        if not self.is_open:
            return "closed"
        return "half-open" if self._on_trial or self._clock() >= self._closed_again_at else "open"

    @property
    def is_open(self) -> bool:
        """True while calls are refused or only a trial call is under way."""
        return self._failures >= self._threshold

    def allows(self) -> bool:
        """Whether a call may be made now; once the rest is over one caller at a time gets True."""
        if not self.is_open:
            return True
        if self._on_trial or self._clock() < self._closed_again_at:
            return False
        self._on_trial = True
        return True

    def succeeded(self) -> None:
        """Report a call that worked; closes the breaker."""
        self._failures = 0
        self._on_trial = False

    def failed(self) -> None:
        """Report a call that failed; opens the breaker, or keeps it open after a trial."""
        self._failures += 1
        self._on_trial = False
        self.opened += self._failures == self._threshold
        if self.is_open:
            self._closed_again_at = self._clock() + self._rest_s

    def abandoned(self) -> None:
        """Report a call that was cancelled before it had a result."""
        self._on_trial = False
