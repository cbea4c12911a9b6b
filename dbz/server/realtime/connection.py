"""One authenticated socket."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from dbz.server.identity import Identity

if TYPE_CHECKING:
    from dbz.server.realtime.gateway import Gateway


class SocketConnection:
    """See `Connection`. `order` keeps the events of one socket in the order in which they came."""

    def __init__(self, gateway: Gateway, sid: str, identity: Identity) -> None:
        self.sid = sid
        self.identity = identity
        self.rooms: set[str] = set()
        self.order = asyncio.Lock()
        self.under_way = 0
        self.active_at = time.monotonic()
        self._gateway = gateway

    async def join(self, room: str) -> None:
        """Enter a room."""
        await self._gateway.sio.enter_room(self.sid, room)
        self.rooms.add(room)

    async def leave(self, room: str) -> None:
        """Leave a room."""
        if room in self.rooms:
            self.rooms.discard(room)
            await self._gateway.sio.leave_room(self.sid, room)

    def is_in(self, room: str) -> bool:
        """Whether this socket is in `room`."""
        return room in self.rooms

    async def send(self, event: str, data: Any) -> None:
        """Send an event to this socket only."""
        self._gateway.adapter.deliver(event, data, self.sid)
