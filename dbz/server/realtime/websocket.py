"""One WebSocket over a TCP connection of the event loop (RFC 6455), with the events of ASGI on its other side.

A frame of a server is the same bytes for all its receivers: a message to a room is framed once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from functools import lru_cache
from typing import Any, cast

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

Event = MutableMapping[str, Any]

_FINAL_TEXT, _FINAL_BINARY = 0x81, 0x82
_SHORT, _MEDIUM = 126, 65_536
"""Lengths from which a frame has 16 bits for its length, and 64 bits (section 5.2)."""
_FRAMES_KEPT, _KEPT_TO_CHARS = 16, 64 * 1024
_MOST_WAITING = 32
"""Messages that wait for the application; with more nothing is read, so that the client has to wait too."""
_CLOSE_S = 2.0
"""So long after a closing frame the client may take for its own."""
_TOO_LARGE, _LOST = 1009, 1006


class _Done:
    """Something to be awaited that has happened."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_DONE = _Done()


class ServerWebSocket(asyncio.Protocol):
    """Frames of an accepted WebSocket; `send` and `receive` are those of ASGI.

    A message of more than `most_bytes` characters or bytes ends it with code 1009. `lost` is called when the connection
    has ended. What is sent after that is dropped: who reads learns of the end.
    """

    def __init__(self, most_bytes: int, lost: Callable[[], None]) -> None:
        self._most_bytes = most_bytes
        self._lost = lost
        self._frames = Connection(ConnectionType.SERVER)
        self._parts: list[str | bytes | bytearray] = []
        self._size = 0
        self._arrived: deque[Event] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._ended: Event | None = None
        self._room: asyncio.Future[None] | None = None
        """Done when the client has read enough for more to be written; None while there is room."""
        self._held = 0
        """How many callers of `send` wait for room, or have not gone on yet."""
        self._paused = False
        self._given_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._frames.receive_data(data)
        except LocalProtocolError:
            return  # both ends have said that it is over
        for event in self._frames.events():
            if isinstance(event, CloseConnection):
                self._end(event)
            elif isinstance(event, Ping):
                if self._room is None and self._frames.state is ConnectionState.OPEN:
                    self._transport.write(self._frames.send(event.response()))
            elif isinstance(event, TextMessage | BytesMessage) and self._ended is None:
                self._gather(event)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def connection_lost(self, _error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._given_up is not None:
            self._given_up.cancel()
        self.resume_writing()
        self._finish(_LOST)
        self._lost()

    async def receive(self) -> Event:
        """The next message, or the end; one caller at a time."""
        while not self._arrived:
            if self._ended is not None:
                return self._ended
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        event = self._arrived.popleft()
        if self._paused and len(self._arrived) < _MOST_WAITING // 2:
            self._paused = False
            self._transport.resume_reading()
        return event

    def send(self, event: Event) -> Awaitable[None]:
        """Send a message, or close; what is awaited ends when there is room for another."""
        if event["type"] == "websocket.close":
            self.close(event.get("code") or 1000)
        elif self._ended is None:
            text = event.get("text")
            self._transport.write(binary_frame(event["bytes"]) if text is None else text_frame(text))
            if self._room is not None:
                return self._wait_for_room(self._room)
        return _DONE

    async def _wait_for_room(self, room: asyncio.Future[None]) -> None:
        self._held += 1
        try:
            await asyncio.shield(room)
        finally:
            self._held -= 1

    def write_at_once(self, frame: bytes) -> bool:
        """Write a frame, unless it would have to wait for room, pass somebody who waits, or comes after the end."""
        if self._room is not None or self._held or self._ended is not None:
            return False
        self._transport.write(frame)
        return True

    def close(self, code: int) -> None:
        """Say that it is over; the connection ends when the client has said so too, or after a moment."""
        if self._ended is not None:
            return
        if self._frames.state is ConnectionState.OPEN:
            self._transport.write(self._frames.send(CloseConnection(code)))
        self._finish(code)
        self._wait_for_end()

    def _gather(self, part: TextMessage | BytesMessage) -> None:
        if part.data:  # of empty ones a client could send any number
            self._parts.append(part.data)
        self._size += len(part.data)
        if self._size > self._most_bytes:
            self._parts.clear()
            self.close(_TOO_LARGE)
        elif part.message_finished:
            self._arrive(part)

    def _arrive(self, last: TextMessage | BytesMessage) -> None:
        is_text = isinstance(last, TextMessage)
        whole = "".join(cast(list[str], self._parts)) if is_text else b"".join(cast(list[bytes], self._parts))
        self._parts.clear()
        self._size = 0
        self._arrived.append({"type": "websocket.receive", "text" if is_text else "bytes": whole})
        if len(self._arrived) >= _MOST_WAITING and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _end(self, event: CloseConnection) -> None:
        """The client has said that it is over, or something that is no frame."""
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self._transport.write(self._frames.send(event.response()))
        self._finish(event.code)
        self._transport.close()
        self._wait_for_end()  # a client that does not read would keep it

    def _finish(self, code: int) -> None:
        if self._ended is None:
            self._ended = {"type": "websocket.disconnect", "code": code}
            if self._paused:
                self._paused = False
                self._transport.resume_reading()  # its closing frame is behind what nobody reads any more
            self._wake()

    def _wait_for_end(self) -> None:
        if self._given_up is None:
            self._given_up = asyncio.get_running_loop().call_later(_CLOSE_S, self._transport.abort)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def text_frame(text: str) -> bytes:
    """The frame that carries a text; that of a short one is kept for its next receivers."""
    return _kept_text_frame(text) if len(text) <= _KEPT_TO_CHARS else _frame(_FINAL_TEXT, text.encode())


def binary_frame(data: bytes) -> bytes:
    """The frame that carries bytes."""
    return _frame(_FINAL_BINARY, data)


@lru_cache(_FRAMES_KEPT)
def _kept_text_frame(text: str) -> bytes:
    return _frame(_FINAL_TEXT, text.encode())


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        return bytes((first, length)) + payload
    if length < _MEDIUM:
        return bytes((first, _SHORT)) + length.to_bytes(2) + payload
    return bytes((first, _SHORT + 1)) + length.to_bytes(8) + payload
