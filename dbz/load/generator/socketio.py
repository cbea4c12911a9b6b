"""A Socket.IO client (protocol 5 over Engine.IO 4, WebSocket transport) for thousands of members in one process.

Three series are kept apart: `connect` (until the namespace is usable), `ack` (emit until its acknowledgement) and
`delivery` (see `dbz.load.generator.deliveries`). Nothing is ever recorded as 0 ms because it was not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import orjson
from gevent.event import AsyncResult

from dbz.load.generator import websocket
from dbz.load.generator.http import CONNECT_TIMEOUT_S, split_url
from dbz.load.generator.recorder import Recorder
from dbz.load.generator.websocket import WebSocket
from dbz.load.generator.wire import ConnectionLost, ReadTimeout, TransportError, connect
from dbz.measure.series import ACK, CONNECT

ACK_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_MEMO_SIZE = 512

Handler = Callable[..., None]


class Refused(TransportError):  # noqa: N818 the class name is what the report shows
    """The server refused the connection to the namespace."""

    name = "Refused"


class SocketClient:
    """The Socket.IO side of one virtual user.

    `on_connected` is called, in a greenlet of its own after a reconnect, whenever the connection is usable: join rooms
    there. Handlers run on the event loop and must not block; spawn a greenlet for anything that waits.
    """

    def __init__(self, base_url: str, recorder: Recorder, *, path: str = "/socket.io/") -> None:
        self._origin, prefix = split_url(base_url.rstrip("/"))
        self._target = f"{prefix}{path}?EIO=4&transport=websocket"
        self._recorder = recorder
        self._handlers: dict[str, Handler] = {}
        self._acks: dict[int, AsyncResult] = {}
        self._next_ack = 0
        self._socket: WebSocket | None = None
        self._opened: AsyncResult | None = None
        self._auth: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = {}
        self._wanted = False
        self.on_connected: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether events can be sent now."""
        return self._socket is not None and not self._socket.closed and self._opened is None

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for each `event`; one handler an event."""
        self._handlers[event] = handler

    def connect(self, auth: Mapping[str, Any] | Callable[[], Mapping[str, Any]], *, attempts: int = 20) -> None:
        """Connect, trying again with growing pauses; the last attempt's `TransportError` is raised.

        `auth` is the auth payload or a function that makes one for each attempt. From then on a lost connection is
        opened again by itself until `disconnect`.
        """
        self._auth = auth
        self._wanted = True
        pause_s = _FIRST_PAUSE_S
        for attempt in range(1, attempts + 1):
            try:
                self._connect_once()
                break
            except TransportError:
                if attempt == attempts or not self._wanted:
                    raise
                gevent.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        self.on_connected()

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event; `TransportError` when there is no connection."""
        self._send(b"42" + orjson.dumps([event, *arguments]))

    def call(self, event: str, *arguments: Any, timeout_s: float = ACK_TIMEOUT_S) -> list[Any] | None:
        """Send an event and wait for its acknowledgement, recorded as `ack`; None when none came in time."""
        self._next_ack += 1
        number = self._next_ack
        result = self._acks[number] = AsyncResult()
        started_s = time.monotonic()
        try:
            self._send(b"42%d" % number + orjson.dumps([event, *arguments]))
            answer: list[Any] = result.get(timeout=timeout_s)
        except gevent.Timeout:
            self._recorder.failure(ACK, event, timeout_s, f"no acknowledgement within {timeout_s:g} s")
            return None
        except TransportError as error:
            self._recorder.failure(ACK, event, time.monotonic() - started_s, str(error))
            return None
        finally:
            self._acks.pop(number, None)
        self._recorder.success(ACK, event, time.monotonic() - started_s)
        return answer

    def disconnect(self) -> None:
        """Close the connection for good."""
        self._wanted = False
        if self._socket is not None and not self._socket.closed:
            self._socket.send(b"41")
            self._socket.close()

    def _connect_once(self) -> None:
        started_s = time.monotonic()
        try:
            self._open_namespace(started_s + CONNECT_TIMEOUT_S)
        except TransportError as error:
            self._recorder.failure(CONNECT, "socket", time.monotonic() - started_s, str(error))
            self._opened = None
            if self._socket is not None:
                self._socket.close()
            raise
        self._recorder.success(CONNECT, "socket", time.monotonic() - started_s)

    def _open_namespace(self, deadline_s: float) -> None:
        connection = connect(self._origin, CONNECT_TIMEOUT_S)
        connection.deadline_s = deadline_s
        try:
            early = websocket.upgrade(connection, self._origin, self._target, {})
        except BaseException:
            connection.close()
            raise
        opened = self._opened = AsyncResult()
        self._socket = WebSocket(connection, self._receive, self._lost)
        self._socket.start(early)
        try:
            opened.get(timeout=max(deadline_s - time.monotonic(), 0.001))
        except gevent.Timeout:
            raise ReadTimeout("the server did not open the namespace") from None
        self._opened = None

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            raise ConnectionLost("not connected")
        self._socket.send(packet)

    def _receive(self, opcode: int, packet: bytes) -> None:
        """One Engine.IO packet: by far the most are events."""
        if opcode != websocket.TEXT:
            return
        if packet.startswith(b'42["'):
            arguments = _parse(packet)
            handler = self._handlers.get(arguments[0])
            if handler is not None:
                handler(*arguments[1:])
        elif packet == b"2":
            self._send(b"3")
        elif packet.startswith(b"43"):
            self._acknowledged(packet)
        elif packet.startswith(b"0"):
            auth = self._auth() if callable(self._auth) else self._auth
            self._send(b"40" + orjson.dumps(auth))
        elif packet.startswith(b"40") and self._opened is not None:
            self._opened.set(True)
        elif packet.startswith(b"44") and self._opened is not None:
            self._opened.set_exception(Refused(packet[2:].decode("utf-8", "replace")[:200]))
        elif packet in (b"1", b"41") and self._socket is not None:
            self._socket.close(ConnectionLost("disconnected by the server"))

    def _acknowledged(self, packet: bytes) -> None:
        bracket = packet.index(b"[")
        result = self._acks.get(int(packet[2:bracket]))
        if result is not None:
            result.set(orjson.loads(packet[bracket:]))

    def _lost(self, error: TransportError) -> None:
        for result in self._acks.values():
            result.set_exception(error)
        if self._opened is not None:
            self._opened.set_exception(error)
        elif self._wanted:
            self._recorder.note_error(CONNECT, "socket", str(error))
            gevent.spawn(self._reconnect)

    def _reconnect(self) -> None:
        try:
            self.connect(self._auth)
        except TransportError:
            self._wanted = False  # every attempt is recorded as a failure already


_memo: dict[bytes, list[Any]] = {}


def _parse(packet: bytes) -> list[Any]:
    """The arguments of an event. All members of a room get the same bytes: they are parsed once."""
    arguments = _memo.get(packet)
    if arguments is None:
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        arguments = _memo[packet] = orjson.loads(packet[2:])
    return arguments
