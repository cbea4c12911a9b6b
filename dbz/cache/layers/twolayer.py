"""The cache that the server uses: read through, one load at a time for a key, invalidated everywhere, failing open."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from dbz.cache.layers.encoding import decode, encode
from dbz.cache.layers.invalidations import InvalidationLog, matches_any
from dbz.cache.layers.local import MISSING, LocalLayer
from dbz.cache.layers.remote import CircuitBreaker, RemoteLayer, UnavailableError
from dbz.cache.layers.stats import CacheStats

Load = Callable[[], Awaitable[Any]]
LoadMany = Callable[[list[str]], Awaitable[Mapping[str, Any]]]

_MAX_PENDING = 1000


@dataclass(frozen=True)
class CacheLimits:
    """How much the cache keeps, and for how long. TTLs are shortened at random by up to `jitter`."""

    max_entries: int = 20_000
    max_bytes: int = 64 * 1024 * 1024
    local_share_of_ttl: float = 0.1
    jitter: float = 0.1
    remote_timeout_s: float = 0.5
    breaker_failures: int = 3
    breaker_rest_s: float = 1.0


class TwoLayerCache:
    """Bytes, or values that orjson can encode, by string key. A value that was handed out must not be changed.

    No method raises because of Redis: without it, reads go to the loader and invalidations reach this process at once
    and the others when Redis is back.
    """

    def __init__(self, redis: Redis, *, prefix: str = "cache:", limits: CacheLimits | None = None) -> None:
        self.limits = limits or CacheLimits()
        self.local = LocalLayer(self.limits.max_entries, self.limits.max_bytes)
        breaker = CircuitBreaker(self.limits.breaker_failures, self.limits.breaker_rest_s)
        self.remote = RemoteLayer(redis, prefix, breaker, self.limits.remote_timeout_s)
        self.stats = CacheStats()
        self._log = InvalidationLog()
        self._flights: dict[str, asyncio.Task[Any]] = {}
        self._pending: list[str] = []

    async def get(self, key: str, load: Load, ttl_s: float = 3600.0) -> Any:
        """The value of `key`, from the nearest layer that has it, else from `load`.

        However many callers miss at the same time, `load` runs once and all get its value. None is not kept.
        """
        value = self.local.get(key)
        if value is not MISSING:
            self.stats.hit("local", (key,))
            return value
        self.stats.miss("local", (key,))
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, load, ttl_s))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        # A caller that goes away must not take the load away from the others.
        return await asyncio.shield(flight)

    async def get_many(self, keys: Sequence[str], load: LoadMany, ttl_s: float = 3600.0) -> dict[str, Any]:
        """The values of those `keys` that exist; `load` gets the keys that no layer has, and maps them to values."""
        found = self.local.get_many(keys)
        self.stats.hit("local", found)
        if len(found) < len(keys) and (missing := [key for key in keys if key not in found]):
            self.stats.miss("local", missing)
            found.update(await self._fill_many(missing, load, ttl_s))
        return found

    def mark(self) -> int:
        """A point in time before a read, to be handed to `offer` after it."""
        return self._log.mark()

    def offer(self, key: str, value: Any, ttl_s: float, mark: int) -> None:
        """Keep, in this process, a value that was read anyway; not when `key` was invalidated since `mark`."""
        self._keep_local(key, value, len(encode(value)), ttl_s, mark)

    async def invalidate(self, *patterns: str) -> int:
        """Make every key that one of the glob `patterns` matches stale in all layers and processes.

        Returns the number of keys removed from Redis (0 when it is away: then it is done when Redis is back).
        """
        removed = 0
        for pattern in patterns:
            self.forget(pattern)
            try:
                await self.flush_pending()
                removed += await self.remote.invalidate(pattern)
            except UnavailableError:
                self._postpone(pattern)
            # Again: until Redis had removed it, a reader here may have found the old value there.
            self.forget(pattern)
        return removed

    def forget(self, pattern: str) -> int:
        """Make the matching keys stale in this process only; returns how many entries went."""
        self._log.add(pattern)
        for key in [key for key in self._flights if matches_any(key, [pattern])]:
            del self._flights[key]
        return self.local.remove_matching(pattern)

    def forget_all(self) -> None:
        """Empty the local layer, when it is not known what other processes invalidated."""
        self.forget("*")

    async def flush_pending(self) -> None:
        """Carry out the invalidations that Redis missed; raises `UnavailableError` when it is still away."""
        while self._pending:
            await self.remote.invalidate(self._pending[0])
            self._pending.pop(0)

    def _postpone(self, pattern: str) -> None:
        if pattern not in self._pending:
            self._pending.append(pattern)
        if len(self._pending) > _MAX_PENDING:
            self._pending = ["*"]

    def _landed(self, key: str, flight: asyncio.Task[Any]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # every waiter may have gone; the error then has no other reader

    async def _fly(self, key: str, load: Load, ttl_s: float) -> Any:
        async def load_one(_missing: list[str]) -> Mapping[str, Any]:
            value = await load()
            return {} if value is None else {key: value}

        return (await self._fill_many([key], load_one, ttl_s)).get(key)

    async def _fill_many(self, keys: list[str], load: LoadMany, ttl_s: float) -> dict[str, Any]:
        mark = self._log.mark()
        epoch, found = await self._read_remote(keys, ttl_s, mark)
        missing = [key for key in keys if key not in found]
        if missing:
            with self.stats.loading():
                loaded = await load(missing)
            await self._keep(loaded, epoch, ttl_s, mark)
            found.update(loaded)
        return found

    async def _read_remote(self, keys: list[str], ttl_s: float, mark: int) -> tuple[str | None, dict[str, Any]]:
        try:
            await self.flush_pending()
            epoch, values = await self.remote.read(keys)
        except UnavailableError:
            self.stats.failed("remote", keys)
            return None, {}
        found = {}
        for key, encoded in zip(keys, values, strict=True):
            if encoded is not None:
                try:
                    found[key] = decode(encoded)
                except ValueError:
                    continue  # somebody else's value under our key: it is loaded as if there were none
                self._keep_local(key, found[key], len(encoded), ttl_s, mark)
        self.stats.hit("remote", found)
        self.stats.miss("remote", [key for key in keys if key not in found])
        return epoch, found

    async def _keep(self, loaded: Mapping[str, Any], epoch: str | None, ttl_s: float, mark: int) -> None:
        encoded = {key: encode(value) for key, value in loaded.items()}
        for key, value in loaded.items():
            self._keep_local(key, value, len(encoded[key]), ttl_s, mark)
        if epoch is None:
            return
        ttl_ms = max(1, int(ttl_s * 1000 * self._jittered()))
        with contextlib.suppress(UnavailableError):
            await asyncio.gather(*(self.remote.store(key, value, ttl_ms, epoch) for key, value in encoded.items()))

    def _keep_local(self, key: str, value: Any, size_bytes: int, ttl_s: float, mark: int) -> None:
        if not self._log.covers(key, mark):
            ttl_local_s = ttl_s * self.limits.local_share_of_ttl * self._jittered()
            self.local.put(key, value, size_bytes + len(key), ttl_local_s)

    def _jittered(self) -> float:
        return 1.0 - random.random() * self.limits.jitter
