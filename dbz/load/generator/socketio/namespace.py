"""One namespace of a Socket.IO connection: its events, acknowledgements, and coming back after a loss."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import gevent
from gevent.event import AsyncResult

from dbz.load.generator.net.expecting import Expected, NotInTimeError
from dbz.load.generator.net.faults import (
    ConnectionLost,
    MessageTooLarge,
    OldServer,
    ReadTimeout,
    Refused,
    TransportError,
)
from dbz.load.generator.record.recorder import Samples
from dbz.load.generator.websocket.returning import ATTEMPTS, ReturningSocket, handler_error
from dbz.measure.latency.series import ACK, CONNECT, OTHER, TASK
from dbz.protocols import socketio as packets
from dbz.protocols.socketio import Packet

ACK_TIMEOUT_S = 5.0
_NO_EVENTS = {
    "connect": "what is to happen at each connect stands in on_connected",
    "connect_error": "connect() raises the error of its last attempt",
    "disconnect": "a loss is recorded by itself, and on_connected is called after it",
}
"""Names that the official clients keep for what happens to a connection, and what takes their place here."""

Auth = Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None
Handler = Callable[..., Any]


class PacketLink(Protocol):
    """The connection that namespaces share."""

    @property
    def writable(self) -> bool:
        """Whether a packet would go out now, and not wait."""

    def open(self, deadline_s: float) -> None:
        """Make sure that there is a connection."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Send the messages of a packet."""

    def release(self) -> None:
        """Close the connection unless a namespace uses it."""


class Namespace(ReturningSocket):
    """A namespace as one user sees it.

    `on_connected` is called, in a greenlet, whenever the namespace is usable: join rooms there. Handlers run on the
    event loop and must not block; spawn a greenlet for anything that waits. Their arguments are shared by all who got
    the same message: do not change them. A handler that raises is recorded as a task's error.
    """

    __slots__ = (
        "_acks",
        "_any",
        "_auth",
        "_handlers",
        "_last_number",
        "_link",
        "_offset",
        "_opened",
        "_pid",
        "_timeout_s",
        "connected",
        "name",
        "recovered",
    )

    def __init__(self, name: str, link: PacketLink, recorder: Samples, timeout_s: float) -> None:
        super().__init__(recorder)
        self.name = name
        self.connected = False
        self._link = link
        self._timeout_s = timeout_s
        self.recovered = False
        """Whether the server kept this member's rooms over the last loss, and gives what was missed."""
        self._pid: str | None = None
        self._offset: str | None = None
        self._any: _Taking | None = None
        self._handlers: dict[str, _Taking] = {}
        self._acks: dict[int, Expected] | None = None
        self._last_number = 0
        self._opened: AsyncResult | None = None
        self._auth: Auth = None

    @property
    def in_use(self) -> bool:
        """Whether it is connected, or being connected."""
        return self.connected or self._opened is not None

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for each `event`; one handler an event.

        As in JavaScript it gets as many arguments as it takes: what is too much is left out, what is missing is None.
        A server that recovers connections, for one, adds an argument to its events that most handlers do not know.
        When the server wants an acknowledgement it gets what the handler returns: nothing for None, several values for
        a tuple. The official clients' `connect`, `connect_error` and `disconnect` are no events: `ValueError`.
        """
        if event in _NO_EVENTS:
            raise ValueError(f"no server sends an event called '{event}': {_NO_EVENTS[event]}")
        self._handlers[event] = _limits_of(handler)

    def on_any(self, handler: Handler) -> None:
        """Call `handler(event, *arguments)` for every event, before its own handler; one for the namespace."""
        self._any = _limits_of(handler)

    def connect(self, auth: Auth = None, *, attempts: int = ATTEMPTS) -> None:
        """Connect, trying again with growing pauses; the last attempt's `TransportError` is raised.

        `auth` is the auth payload or a function that makes one for each attempt. From then on a lost connection is
        opened again by itself until `disconnect`.
        """
        self._auth = auth
        self._connect(attempts)

    def emit(self, event: str, *arguments: Any) -> bool:
        """Send an event; when that is not possible it is recorded as a failure, and False is returned."""
        started_s = time.monotonic()
        try:
            self._send(packets.EVENT, None, [event, *arguments])
        except TransportError as error:
            self._recorder.failure(OTHER, f"emit {event}", time.monotonic() - started_s, str(error))
            return False
        return True

    def emit_volatile(self, event: str, *arguments: Any) -> bool:
        """Send an event that is worth nothing later; returns whether it was sent.

        When there is no connection, or something waits to be sent already, it is dropped, which is no failure.
        """
        return self.connected and self._link.writable and self.emit(event, *arguments)

    def call(self, event: str, *arguments: Any, timeout_s: float = ACK_TIMEOUT_S) -> list[Any] | None:
        """Send an event and wait for its acknowledgement, recorded as `ack`; None when none came in time."""
        self._last_number = number = self._last_number + 1
        acks = self._acks = self._acks if self._acks is not None else {}
        expected = acks[number] = Expected()
        started_s = time.monotonic()
        try:
            self._send(packets.EVENT, number, [event, *arguments])
            answer: list[Any] = expected.wait(started_s + timeout_s)
        except NotInTimeError:
            self._recorder.failure(ACK, event, timeout_s, f"no acknowledgement within {timeout_s:g} s")
            return None
        except TransportError as error:
            self._recorder.failure(ACK, event, time.monotonic() - started_s, str(error))
            return None
        finally:
            acks.pop(number, None)
        self._recorder.success(ACK, event, expected.arrived_s - started_s)
        self._recorder.objections.look_at_ack(event, answer)
        return answer

    def disconnect(self) -> None:
        """Leave the namespace for good; the connection closes with the last one."""
        self._stay_away()
        if self.connected:
            self.connected = False
            try:
                self._link.send(packets.encode(packets.DISCONNECT, self.name, None, None))
            except TransportError:
                return  # whoever is gone already needs no goodbye
        self._link.release()

    def event(self, name: str, arguments: Sequence[Any]) -> Any:
        """Hand an event to its handler; returns what that returned."""
        if self._pid is not None and arguments and isinstance(arguments[-1], str):
            self._offset = arguments[-1]
        handler = self._handlers.get(name)
        try:
            if self._any is not None:
                _call(self._any, (name, *arguments))
            if handler is not None:
                call, least, most = handler
                if least <= len(arguments) <= most:  # written out: most messages of a run pass here
                    return call(*arguments)
                return _call(handler, arguments)
        except Exception as error:  # whatever a scenario does wrong must not end the connection
            self._recorder.failure(TASK, f"on {name}", 0.0, handler_error(error))
        return _NOT_HANDLED

    def receive(self, packet: Packet) -> None:
        """Take a packet from the server."""
        kind = packet.kind
        if kind in (packets.EVENT, packets.BINARY_EVENT):
            answer = self.event(packet.data[0], packet.data[1:])
            if packet.number is not None and answer is not _NOT_HANDLED:
                self._acknowledge(packet.number, answer)
        elif kind in (packets.ACK, packets.BINARY_ACK):
            expected = self._acks.get(packet.number or 0) if self._acks else None
            if expected is not None:
                expected.give(packet.data)
        elif kind == packets.CONNECT and self._opened is not None:
            self._welcome(packet.data)
        elif kind == packets.CONNECT_ERROR and self._opened is not None:
            self._opened.set_exception(Refused(_reason(packet.data)))

    def _welcome(self, data: Any) -> None:
        """The server opened the namespace. One of Socket.IO 2 says so to everybody, asked or not, and without an id."""
        assert self._opened is not None
        if not isinstance(data, dict) or "sid" not in data:
            self._opened.set_exception(OldServer())
            return
        pid = data.get("pid")
        self.recovered = pid is not None and pid == self._pid
        self._pid = pid
        self.connected = True
        self._opened.set(True)

    def lost(self, error: TransportError) -> None:
        """The connection, or this namespace of it, is gone."""
        was_connected, self.connected = self.connected, False
        for expected in (self._acks or {}).values():
            expected.fail(error)
        if self._opened is not None and not self._opened.ready():
            self._opened.set_exception(error)
        elif was_connected and self._wanted:
            self._recorder.failure(CONNECT, self._series, 0.0, str(error))  # the user was kept from being connected
            self._come_back()

    @property
    def _series(self) -> str:
        return "socket" if self.name == packets.DEFAULT else f"socket {self.name}"

    def _send(self, kind: int, number: int | None, data: Any) -> None:
        if not self.connected:
            raise ConnectionLost("not connected")
        self._link.send(packets.encode(kind, self.name, number, data))

    def _attempt(self) -> None:
        """One attempt, recorded as `connect`."""
        started_s = time.monotonic()
        try:
            self._open(started_s + self._timeout_s)
        except TransportError as error:
            self._recorder.failure(CONNECT, self._series, time.monotonic() - started_s, str(error))
            self._link.release()
            raise
        self._recorder.success(CONNECT, self._series, time.monotonic() - started_s)

    def _open(self, deadline_s: float) -> None:
        opened = self._opened = AsyncResult()
        try:
            auth = self._auth() if callable(self._auth) else self._auth
            self._link.open(deadline_s)
            if self._pid is not None:  # the server may still know this member, and what it has missed
                auth = {"pid": self._pid, "offset": self._offset, **(auth or {})}
            self._link.send(packets.encode(packets.CONNECT, self.name, None, auth))
            opened.get(timeout=max(deadline_s - time.monotonic(), 0.001))
        except gevent.Timeout:
            raise ReadTimeout("the server did not open the namespace") from None
        except ConnectionLost as error:
            # Lost before anything could be sent: why is known better than that nothing can be sent any more.
            raise opened.exception or error from error
        finally:
            self._opened = None

    def _acknowledge(self, number: int, answer: Any) -> None:
        values = [] if answer is None else list(answer) if isinstance(answer, tuple) else [answer]
        try:
            self._send(packets.ACK, number, values)
        except (ConnectionLost, MessageTooLarge, TypeError) as error:
            self._recorder.failure(OTHER, "acknowledge", 0.0, str(error))


_NOT_HANDLED = object()


class _Taking(NamedTuple):
    """A handler, and how many arguments it needs and takes."""

    call: Handler
    least: int
    most: float


def _limits_of(handler: Handler) -> _Taking:
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):  # something of C that does not tell
        return _Taking(handler, 0, math.inf)
    positional = [each for each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD]
    endless = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    least = sum(each.default is each.empty for each in positional)
    return _Taking(handler, least, math.inf if endless else len(positional))


def _call(handler: _Taking, arguments: Sequence[Any]) -> Any:
    call, least, most = handler
    count = len(arguments)
    if least <= count <= most:
        return call(*arguments)
    if count < least:
        return call(*arguments, *[None] * (least - count))
    return call(*arguments[: int(most)])


def _reason(data: Any) -> str:
    message = data.get("message") if isinstance(data, dict) else data
    return str(message)[:200]
