"""Events to sockets from a process that holds none."""

from __future__ import annotations

import asyncio
from typing import Any

from dbz.background import end
from dbz.server.core import Core
from dbz.server.realtime.adapter import RoomAdapter


class Publisher:
    """See `Emitter`: whoever holds the sockets of a room gets the event through Redis."""

    def __init__(self, core: Core) -> None:
        self._adapter = RoomAdapter(core.redis, core.figures, 1, lambda _sid: None)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to publish."""
        self._tasks = [asyncio.create_task(self._adapter.publish_forever())]

    async def stop(self) -> None:
        """Publish what waits, and stop."""
        await self._adapter.published()
        await end(self._tasks)

    def emit(self, event: str, data: Any, room: str, but: str = "") -> None:
        """See `Emitter`."""
        self._adapter.broadcast(event, data, room, but)
