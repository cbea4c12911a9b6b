"""One authenticated socket."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from dbz.server.realtime.adapter import RoomAdapter
from dbz.server.realtime.engine import SocketServer
from dbz.server.values.identity import Identity


class SocketConnection:
    """See `MemberConnection`."""

    def __init__(self, sio: SocketServer, adapter: RoomAdapter, sid: str, identity: Identity) -> None:
        self.sid = sid
        self.identity = identity
        self.rooms: set[str] = set()
        # Handlers of one socket run one after the other: a message sent after room:join must find the room joined.
        self.order = asyncio.Lock()
        self.under_way = 0
        self.active_at = time.monotonic()
        self.expiry: asyncio.TimerHandle | None = None
        """Ends the connection with its access token."""
        self._sio = sio
        self._adapter = adapter

    @property
    def last_used_at(self) -> float:
        """When it last sent an event, or was sent one, on the monotonic clock: who only listens is there too."""
        socket = self._sio.eio.sockets.get(self._adapter.eio_sid_from_sid(self.sid, "/"))
        return max(self.active_at, getattr(socket, "delivered_at", 0.0))

    async def close(self) -> None:
        """End the transport, not the namespace: clients take that as a reason to connect again by themselves."""
        socket = self._sio.eio.sockets.get(self._adapter.eio_sid_from_sid(self.sid, "/"))
        if socket is not None:
            await socket.close(wait=False)

    async def join(self, room: str) -> None:
        """Enter a room."""
        await self._sio.enter_room(self.sid, room)
        self.rooms.add(room)

    async def leave(self, room: str) -> None:
        """Leave a room."""
        if room in self.rooms:
            self.rooms.discard(room)
            await self._sio.leave_room(self.sid, room)

    def is_in(self, room: str) -> bool:
        """Whether this socket is in `room`."""
        return room in self.rooms

    async def send(self, event: str, data: Any) -> None:
        """Send an event to this socket only."""
        self._adapter.deliver(event, data, self.sid)
