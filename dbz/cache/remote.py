"""The Redis layer: values, the epoch that orders invalidations, and a circuit breaker around every call.

The epoch is a counter that each invalidation increases, and `log` a sorted set of the patterns by epoch. A value may be
stored only when nothing that matches its key was invalidated after the epoch that its reader saw before it loaded.
A missing epoch starts from Redis's clock in microseconds, so that one lost with the server's memory never comes back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.cache.breaker import CircuitBreaker
from dbz.cache.glob import is_literal
from dbz.cache.invalidations import matches_any

T = TypeVar("T")

_SCAN_COUNT = 1000
_UNLINK_BATCH = 500
_STORE_ATTEMPTS = 4
_LOG_LENGTH = 1000

_EPOCH = """
local e = redis.call('GET', KEYS[1])
if not e then
  local t = redis.call('TIME')
  e = t[1] .. string.format('%06d', t[2])
  redis.call('SET', KEYS[1], e)
end
"""
_NOW = _EPOCH + "return e"
_READ = _EPOCH + "return {e, unpack(redis.call('MGET', unpack(KEYS, 2)))}"
_STORE = (
    _EPOCH
    + """
if e == ARGV[3] then
  redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
  return {e, 'stored'}
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if not first or tonumber(first) > tonumber(ARGV[3]) + 1 then return {e, 'unknown'} end
return {e, 'newer', unpack(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[3], '+inf'))}
"""
)
_INVALIDATE = (
    _EPOCH
    + """
e = redis.call('INCR', KEYS[1])
local line = string.format('%.0f', e) .. '|' .. ARGV[3] .. '|' .. ARGV[1]
redis.call('ZADD', KEYS[2], e, line)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[2]))
redis.call('PUBLISH', KEYS[3], line)
return e
"""
)


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
        self._prefix = prefix
        self._timeout_s = timeout_s
        self.breaker = breaker
        self.origin = uuid.uuid4().hex
        self.epoch_key = f"{prefix}meta:epoch"
        self.log_key = f"{prefix}meta:log"
        self.channel = f"{prefix}meta:invalidated"
        self._now = redis.register_script(_NOW)
        self._read = redis.register_script(_READ)
        self._store = redis.register_script(_STORE)
        self._invalidate = redis.register_script(_INVALIDATE)

    async def read(self, keys: list[str]) -> tuple[str, list[bytes | None]]:
        """The epoch, and the value of each key or None, of one moment."""
        names = [self.epoch_key, *(self._entry(key) for key in keys)]
        epoch, *values = await self._call(lambda: self._read(keys=names))
        return epoch.decode(), values

    async def store(self, key: str, value: bytes, ttl_ms: int, epoch: str) -> bool:
        """Store `value` unless `key` was invalidated after `epoch`; True when it was stored."""
        names = [self.epoch_key, self.log_key, self._entry(key)]
        for _ in range(_STORE_ATTEMPTS):
            args = [value, ttl_ms, epoch]
            now, outcome, *lines = await self._call(lambda args=args: self._store(keys=names, args=args))  # type: ignore[misc]
            if outcome == b"stored":
                return True
            if outcome == b"unknown" or matches_any(key, [parse_line(line).pattern for line in lines]):
                return False
            epoch = now.decode()
        return False

    async def invalidate(self, pattern: str) -> int:
        """Raise the epoch, tell every process, then remove the matching keys; returns how many were removed."""
        names = [self.epoch_key, self.log_key, self.channel]
        await self._call(lambda: self._invalidate(keys=names, args=[pattern, _LOG_LENGTH, self.origin]))
        if is_literal(pattern):
            return int(await self._call(lambda: self._redis.unlink(self._entry(pattern))))
        return await self._unlink_matching(self._entry(pattern))

    async def _unlink_matching(self, pattern: str) -> int:
        removed, cursor, batch = 0, 0, list[bytes | str]()
        while True:
            at = cursor
            cursor, found = await self._call(lambda at=at: self._redis.scan(at, pattern, _SCAN_COUNT))  # type: ignore[misc]
            batch += found
            while batch and (cursor == 0 or len(batch) >= _UNLINK_BATCH):
                part, batch = batch[:_UNLINK_BATCH], batch[_UNLINK_BATCH:]
                removed += int(await self._call(lambda part=part: self._redis.unlink(*part)))  # type: ignore[misc]
            if cursor == 0:
                return removed

    async def since(self, epoch: int) -> tuple[int, list[Invalidation] | None]:
        """The epoch now, and the invalidations after `epoch`; None when the log does not reach back so far."""
        now = int(await self._call(lambda: self._now(keys=[self.epoch_key])))
        if now == epoch:
            return now, []
        lines = await self._call(lambda: self._redis.zrangebyscore(self.log_key, f"({epoch}", "+inf"))
        complete = now > epoch and len(lines) >= now - epoch
        return now, [parse_line(line) for line in lines] if complete else None

    def _entry(self, key: str) -> str:
        return f"{self._prefix}{key}"

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
    epoch, origin, pattern = line.decode().split("|", 2)
    return Invalidation(int(epoch), origin, pattern)
