"""HTTP/1.1 to other processes of the server, over one connection: what a proxied request needs, no more.

A general client costs a proxy more than all its other work: timers, tasks and copies for what no service here does
(redirects, cookies, other encodings). llhttp parses the answers, as it does for the load.
"""

from __future__ import annotations

import asyncio
import select
from typing import Any, Protocol

import httptools

Fields = list[tuple[bytes, bytes]]
"""Headers; the names of those that came are in small letters."""

_MOST_HEAD_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 1024 * 1024
"""So much of a body lies here unread, then the other side has to wait."""
_FRAMES = frozenset({b"content-length", b"transfer-encoding"})


class UnreachableError(ConnectionError):
    """Nobody takes connections there, or not in time: no byte of the request has left."""


class BrokenAnswerError(ConnectionError):
    """The connection ended in an answer or before it, or what came is no HTTP."""


class Incoming:
    """An answer that comes in over a connection."""

    __slots__ = (
        "_connection",
        "_error",
        "_parts",
        "_timer",
        "_waiter",
        "begun",
        "complete",
        "headers",
        "size",
        "status",
    )

    def __init__(self, connection: UpstreamConnection, within_s: float) -> None:
        self.status = 0
        self.headers: Fields = []
        self.begun = False
        """Whether its head is here."""
        self.complete = False
        """Whether all of it is here; what was not taken yet included."""
        self.size = 0
        """How much of its body is here and was not taken."""
        self._parts: list[bytes] = []
        self._connection: UpstreamConnection | None = connection
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer = connection.loop.call_later(within_s, self.fail, TimeoutError("no whole answer in time"))

    async def more(self) -> None:
        """Wait until more of it is here; `BrokenAnswerError` or `TimeoutError` when nothing comes any more.

        Take what is here before: of a body that lies here unread only so much comes.
        """
        if self._error is None and not self.complete:
            assert self._connection is not None
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        if self._error is not None:
            raise self._error

    async def first(self, most_bytes: int) -> bytes:
        """Its body, or the beginning when it is larger. Given up when this is cancelled or fails."""
        try:
            while not self.complete and self.size < most_bytes:
                await self.more()
        except BaseException:
            self.drop()
            raise
        return self.take()

    async def line(self) -> bytes:
        """The first line of its body. Given up when this is cancelled or fails."""
        try:
            while not self.complete and not any(b"\n" in part for part in self._parts):
                await self.more()
        except BaseException:
            self.drop()
            raise
        first, end, left = self.take().partition(b"\n")
        if left:
            self.add(left)
        return first + end

    def take(self) -> bytes:
        """What is here of the body."""
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        if self.size > _MOST_WAITING_BYTES and self._connection is not None:
            self._connection.transport.resume_reading()
        self.size = 0
        return body

    def drop(self) -> None:
        """Do without what is still to come: the connection ends, unless all is here."""
        self.fail(BrokenAnswerError("nobody waits for the rest"))

    def fail(self, error: Exception) -> None:
        """Nothing more comes; without effect when all is here."""
        if not self.complete and self._error is None:
            self._error = error
            connection = self._leave()
            if connection is not None:
                connection.transport.abort()

    def add(self, part: bytes) -> None:
        """A part of the body has come."""
        self._parts.append(part)
        paused = self.size > _MOST_WAITING_BYTES
        self.size += len(part)
        if not paused and self.size > _MOST_WAITING_BYTES and self._connection is not None:
            self._connection.transport.pause_reading()

    def end(self) -> None:
        """All of it is here."""
        self.complete = True
        self._leave()

    def wake(self) -> None:
        """Tell who waits that something has come."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _leave(self) -> UpstreamConnection | None:
        self._timer.cancel()
        connection, self._connection = self._connection, None
        self.wake()
        return connection


class ConnectionKeeper(Protocol):
    """Who hands connections out, and takes them back."""

    def keep(self, name: str, connection: UpstreamConnection) -> None:
        """The answer is whole: the connection may wait for its next use."""

    def forget(self, name: str, connection: UpstreamConnection) -> None:
        """The connection has ended while it may have waited."""


class UpstreamConnection(asyncio.Protocol):
    """One connection, on which one request at a time is answered."""

    transport: Any  # asyncio's abstract class lacks what all its transports have

    def __init__(self, keeper: ConnectionKeeper, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.idle_since_s = 0.0
        self._keeper = keeper
        self._name = name
        self._parser: Any = httptools.HttpResponseParser(self)
        self._incoming: Incoming | None = None
        self._head_only = False
        self._interim = False
        self._head_bytes = 0
        self._keeps = False
        self._spoiled = False
        """Whether something came that belongs to no answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = transport
        self._unread = select.poll()
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def send(self, request: bytes, head_only: bool, within_s: float) -> Incoming:
        """Write a request, whole, and have its answer; `head_only` when the method is HEAD."""
        incoming = self._incoming = Incoming(self, within_s)
        self._head_only = head_only
        self._head_bytes = 0
        self.transport.write(request)
        return incoming

    def is_usable(self) -> bool:
        """Whether another request may be written. What lies unread where nobody has asked can only be its end."""
        return not (self.transport.is_closing() or self._unread.poll(0))

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        incoming = self._incoming
        if incoming is None:  # nobody has asked
            self.transport.abort()
            return
        if not incoming.begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            incoming.fail(BrokenAnswerError(f"no answer in HTTP: {error}"))
            self._spoiled = True
        if incoming.complete:
            self._answered(incoming)
        elif incoming.begun:
            incoming.wake()
        elif self._head_bytes > _MOST_HEAD_BYTES:
            incoming.fail(BrokenAnswerError("the head of an answer is too large"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended: an answer without a length of its own is whole, any other is broken."""
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            self._keeper.forget(self._name, self)
        elif exc is None and incoming.begun and not any(name in _FRAMES for name, _ in incoming.headers):
            incoming.end()
        else:
            incoming.fail(BrokenAnswerError("the connection ended before the answer did"))

    def on_message_begin(self) -> None:
        """The parser has the beginning of an answer."""
        if self._incoming is None or self._incoming.complete:
            self._spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has a header, or a trailer, which is left out."""
        incoming = self._incoming
        if incoming is not None and not incoming.begun:
            incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The parser has a head."""
        incoming = self._incoming
        if incoming is None or incoming.complete:
            return
        status = incoming.status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            incoming.headers.clear()
            return
        if self._head_bytes > _MOST_HEAD_BYTES and _size(incoming.headers) > _MOST_HEAD_BYTES:
            raise ValueError("the head of an answer is too large")
        incoming.begun = True
        if self._head_only:
            incoming.complete, self._keeps = True, self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """The parser has a part of a body."""
        if self._incoming is not None and not self._incoming.complete:
            self._incoming.add(body)

    def on_message_complete(self) -> None:
        """The parser has an answer."""
        if self._interim:
            self._interim = False
        elif self._incoming is not None:
            self._incoming.complete, self._keeps = True, self._parser.should_keep_alive()

    def _answered(self, incoming: Incoming) -> None:
        self._incoming = None
        if incoming.size > _MOST_WAITING_BYTES:
            self.transport.resume_reading()
        if self._head_only:  # the parser waits for a body that does not come
            self._parser = httptools.HttpResponseParser(self)
        if self._keeps and not self._spoiled:
            self._keeper.keep(self._name, self)
        else:
            self.transport.close()
        incoming.end()


def _size(headers: Fields) -> int:
    return sum(len(name) + len(value) for name, value in headers)
