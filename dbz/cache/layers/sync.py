"""Keeping one process's local layer in step with the others: published invalidations, and a poll as the net.

Its figures are published too, so that `dbz cache stats` can show what is inside the processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end
from dbz.cache.layers.published import publish
from dbz.cache.layers.remote import Invalidation, UnavailableError, parse_line
from dbz.cache.layers.stats import PUBLISH_S
from dbz.cache.layers.twolayer import TwoLayerCache

_log = logging.getLogger(__name__)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


class CacheSync:
    """Background work of one process's cache; `start` it in the event loop that uses the cache, `stop` it at the end.

    Messages published by other processes clear the local layer within about a millisecond. The epoch is also polled
    every `poll_s`, because a published message is lost when the connection is; what cannot be told apart is cleared.
    """

    def __init__(
        self,
        cache: TwoLayerCache,
        redis: Redis,
        *,
        poll_s: float = 1.0,
        sweep_s: float = 60.0,
        heap_limit_bytes: int = 512 * 1024 * 1024,
        resident_bytes: Callable[[], int] = _resident_bytes,
    ) -> None:
        self._cache = cache
        self._redis = redis
        self._poll_s = poll_s
        self._sweep_s = sweep_s
        self._heap_limit_bytes = heap_limit_bytes
        self._resident_bytes = resident_bytes
        self._epoch = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin listening, polling and sweeping."""
        self._tasks = [asyncio.create_task(work()) for work in (self._listen, self._poll, self._sweep, self._publish)]

    async def stop(self) -> None:
        """End the background work."""
        await end(self._tasks)
        self._tasks = []

    async def catch_up(self) -> None:
        """Apply what other processes invalidated since the last message or poll."""
        try:
            await self._cache.flush_pending()
            epoch, missed = await self._cache.remote.since(self._epoch)
        except UnavailableError:
            return
        if missed is None and self._epoch:
            self._cache.forget_all()
        for invalidation in missed or ():
            self._forget(invalidation)
        self._epoch = epoch

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._cache.remote.names.channel)
                    await self.catch_up()
                    await self._follow(channel)
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("invalidation channel lost, polling meanwhile: %s", error)
                await asyncio.sleep(self._poll_s)

    async def _follow(self, channel: Any) -> None:
        while True:
            message = await channel.get_message(timeout=60.0)
            if message is not None:
                self._apply(parse_line(message["data"]))

    def _apply(self, invalidation: Invalidation) -> None:
        self._forget(invalidation)
        # A gap means that a message was lost: leave the epoch, and the poll fetches what is missing.
        if invalidation.epoch == self._epoch + 1:
            self._epoch = invalidation.epoch

    def _forget(self, invalidation: Invalidation) -> None:
        # What this process invalidated it forgot at once; a second time would only throw away what was loaded since.
        if invalidation.origin != self._cache.remote.origin:
            self._cache.forget(invalidation.pattern)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            await self.catch_up()

    async def _publish(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await publish(self._redis, self._cache)
            await asyncio.sleep(PUBLISH_S)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_s)
            with contextlib.suppress(psutil.Error):
                if self._resident_bytes() > self._heap_limit_bytes:
                    self._cache.local.drop_expired()
