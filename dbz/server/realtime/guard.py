"""Keeps connections and memory within bounds, once a minute."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

import psutil

from dbz.server.garbage import GarbageCollection
from dbz.server.realtime.connection import SocketConnection
from dbz.server.settings import Realtime

_log = logging.getLogger(__name__)
_UNDER_PRESSURE = 0.1  # share of the usual idle time after which a connection goes when memory is short


class Guard:
    """Drops idle connections; past the memory limit sooner, and with them whatever `clean_ups` can let go of."""

    def __init__(
        self,
        settings: Realtime,
        connections: Callable[[], Iterable[SocketConnection]],
        close: Callable[[str], Awaitable[None]],
        clean_ups: tuple[Callable[[], int], ...],
        garbage: GarbageCollection,
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._close = close
        self._clean_ups = clean_ups
        self._garbage = garbage

    async def run(self) -> None:
        """Check again and again."""
        while True:
            await asyncio.sleep(self._settings.guard_s)
            await self.check(psutil.Process().memory_info().rss)

    async def check(self, resident_bytes: int) -> None:
        """One round, for a process with this much memory."""
        idle_s = self._settings.idle_s
        if resident_bytes > self._settings.heap_limit_bytes:
            idle_s *= _UNDER_PRESSURE
            removed = sum(clean_up() for clean_up in self._clean_ups)
            self._garbage.collect_if_grown()  # a walk over everything stops the server: not each minute
            _log.warning("memory is short", extra={"resident_bytes": resident_bytes, "entries_removed": removed})
        now = time.monotonic()
        idle = [connection.sid for connection in self._connections() if now - connection.last_used_at > idle_s]
        for sid in idle:
            await self._close(sid)
        if idle:
            _log.info("idle connections dropped", extra={"connections": len(idle)})
