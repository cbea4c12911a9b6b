"""A WebSocket of one virtual user that speaks the server's own protocol, and comes back by itself when it is lost.

Opening is recorded as `connect`, a message until its answer as `ack`, and what could not be sent as `other`; how
messages travel from one user to others is measured by `deliveries`, as with Socket.IO.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlencode

import gevent
import orjson
from gevent.event import AsyncResult

from dbz.load.generator.http import CONNECT_TIMEOUT_S, split_url
from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.expecting import Expected, NotInTimeError
from dbz.load.generator.net.faults import ClosedByServer, ConnectionLost, MalformedFrame, ReadTimeout, TransportError
from dbz.load.generator.record.recorder import Samples
from dbz.load.generator.websocket.client import MAX_MESSAGE_BYTES, WebSocket, open_websocket
from dbz.load.generator.websocket.frames import BINARY, PING, TEXT
from dbz.load.generator.websocket.returning import ATTEMPTS, ReturningSocket, handler_error
from dbz.measure.latency.series import ACK, CONNECT, OTHER, TASK
from dbz.protocols import json_path

ANSWER_TIMEOUT_S = 5.0
NORMAL_CLOSURE = 1000
_MEMO_SIZE, _MEMO_LONGEST_BYTES = 512, 8192
_memo: dict[bytes, Any] = {}
"""What stands in a JSON text. All members of a room get the same bytes: they are parsed once."""

Match = Callable[[Any], Any] | Mapping[str, Any] | None
"""Which message is waited for: a function says yes, or values stand at JSONPaths, or (None) it is the next one."""


@dataclass(frozen=True)
class WebSocketOptions:
    """How to reach the server, and what to do when it goes away."""

    path: str = "/"
    """Below the base URL; or a whole URL that begins with `ws://` or `wss://`."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: tuple[str, ...] = ()
    """What the server may choose from; it may also choose none."""
    messages: Literal["json", "raw"] = "json"
    """Whether texts that are JSON are read as such; binary messages are bytes either way."""
    ping_every_s: float | None = None
    """How often to ask whether the server is there; None for never. Its own pings are always answered."""
    ping_timeout_s: float = 10.0
    """A connection without an answer to a ping for so long is lost."""
    may_close: frozenset[int] = frozenset()
    """Codes with which the server may close without a failure; the user stays away then."""
    reconnect: bool = True
    """Whether to come back after any other loss, with growing pauses."""
    tls: ssl.SSLContext | None = None
    """Replaces the default verification against the system's certificates."""
    compression: bool = True
    """Whether to offer permessage-deflate."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """The largest message that is accepted from the server."""
    connect_timeout_s: float = CONNECT_TIMEOUT_S


_DEFAULT_OPTIONS = WebSocketOptions()


class RawSocket(ReturningSocket):
    """The WebSocket side of one virtual user. `options` may be replaced before `connect`.

    `on_message` gets each message on the event loop and must not block; spawn a greenlet for anything that waits. What
    it gets is shared by all who got the same message: do not change it. `on_connected` is called, in a greenlet,
    after each connect and reconnect; `on_closed(code, reason)` when the connection ended, with 1006 for a code when
    nobody said why. What they raise is recorded as a task's error.
    """

    __slots__ = (
        "_access",
        "_base_url",
        "_cookies",
        "_expected",
        "_pings",
        "_socket",
        "_timer",
        "name",
        "on_closed",
        "on_message",
        "options",
    )

    def __init__(
        self,
        base_url: str,
        recorder: Samples,
        options: WebSocketOptions = _DEFAULT_OPTIONS,
        cookies: Callable[[], CookieJar] | None = None,
        name: str = "websocket",
        access: UserAccess | None = None,
    ) -> None:
        super().__init__(recorder)
        self.options = options
        self.name = name
        """What connects are called in reports."""
        self.on_message: Callable[[Any], Any] = lambda _message: None
        self.on_closed: Callable[[int, str], Any] = lambda _code, _reason: None
        self._base_url = base_url.rstrip("/")
        self._cookies = cookies
        self._access = access
        self._socket: WebSocket | None = None
        self._expected: list[_ExpectedMessage] = []
        self._pings: dict[bytes, AsyncResult] = {}
        self._timer: Any = None

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now."""
        return self._socket is not None and not self._socket.closed

    def connect(self, path: str | None = None, *, attempts: int = ATTEMPTS) -> None:
        """Connect, trying again with growing pauses; the last attempt's `TransportError` is raised."""
        if path is not None:
            self.options = _with_path(self.options, path)
        self._connect(attempts)

    def send(self, message: Any) -> bool:
        """Send a text, bytes, or anything else as JSON; when that is not possible it is a failure, and False."""
        started_s = time.monotonic()
        try:
            self._send(*_frame_of(message))
        except TransportError as error:
            self._recorder.failure(OTHER, f"send {self.name}", time.monotonic() - started_s, str(error))
            return False
        return True

    def request(self, message: Any, match: Match = None, *, name: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """Send a message and wait for the one that answers it, recorded as `ack`; None when none came in time."""
        return self._wait(name, match, timeout_s, message)

    def expect(self, match: Match = None, *, name: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """Wait for a message from now on, recorded as `ack`; None when none came in time."""
        return self._wait(name, match, timeout_s, _NOTHING)

    def ping(self, timeout_s: float = ANSWER_TIMEOUT_S) -> float | None:
        """Send a ping and wait for its pong, recorded as `ack`: seconds, None when none came in time."""
        payload = os.urandom(8)
        result = self._pings[payload] = AsyncResult()
        started_s = time.monotonic()
        try:
            self._send(payload, PING)
            result.get(timeout=timeout_s)
        except (gevent.Timeout, TransportError) as error:
            why = str(error) if isinstance(error, TransportError) else f"no pong within {timeout_s:g} s"
            self._recorder.failure(ACK, "ping", time.monotonic() - started_s, why)
            return None
        finally:
            self._pings.pop(payload, None)
        elapsed_s = time.monotonic() - started_s
        self._recorder.success(ACK, "ping", elapsed_s)
        return elapsed_s

    def disconnect(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Close the connection for good."""
        self._stay_away()
        socket, self._socket = self._socket, None
        self._stop_pinging()
        if socket is not None:
            socket.close(code=code, reason=reason)
            self._give_up(ConnectionLost("closed by the user"))

    def _attempt(self) -> None:
        """One attempt, recorded as `connect`."""
        options, started_s = self.options, time.monotonic()
        whole = options.path.startswith(("ws://", "wss://"))
        try:
            slash = "" if whole or options.path.startswith("/") else "/"
            origin, target = split_url(options.path if whole else f"{self._base_url}{slash}{options.path}")
            query = urlencode(options.query)
            protocols = {"Sec-WebSocket-Protocol": ", ".join(options.subprotocols)} if options.subprotocols else {}
            self._socket = open_websocket(
                origin,
                f"{target}{'&' if '?' in target else '?'}{query}" if query else target,
                {**protocols, **options.headers},
                deadline_s=started_s + options.connect_timeout_s,
                timeout_s=options.connect_timeout_s,
                max_bytes=options.max_message_bytes,
                compression=options.compression,
                tls=options.tls,
                cookies=self._cookies() if self._cookies is not None else None,
                access=self._access,
            )
        except TransportError as error:
            self._recorder.failure(CONNECT, self.name, time.monotonic() - started_s, str(error))
            raise
        self._recorder.success(CONNECT, self.name, time.monotonic() - started_s)
        self._socket.on_message, self._socket.on_close = self._take, self._lost
        self._socket.on_pong = self._take_pong
        self._socket.start()
        if options.ping_every_s is not None:
            self._timer = gevent.spawn_later(options.ping_every_s, self._keep_alive)

    def _send(self, payload: bytes, opcode: int) -> None:
        if self._socket is None:
            raise ConnectionLost("not connected")
        self._socket.send(payload, opcode)

    def _wait(self, name: str, match: Match, timeout_s: float, message: Any) -> Any:
        expected = _ExpectedMessage(_matcher(match))
        self._expected.append(expected)
        started_s = time.monotonic()
        try:
            if message is not _NOTHING:
                self._send(*_frame_of(message))
            elif not self.connected:
                raise ConnectionLost("not connected")
            answer = expected.wait(started_s + timeout_s)
        except NotInTimeError:
            self._recorder.failure(ACK, name, timeout_s, f"no such message within {timeout_s:g} s")
            return None
        except TransportError as error:
            self._recorder.failure(ACK, name, time.monotonic() - started_s, str(error))
            return None
        finally:
            if expected in self._expected:
                self._expected.remove(expected)
        self._recorder.success(ACK, name, expected.arrived_s - started_s)
        self._recorder.objections.look_at_ack(name, (answer,))
        return answer

    def _take(self, opcode: int, payload: bytes) -> None:
        """A message has come: whoever waits for it gets it, and then the handler does."""
        try:
            message: Any = _read(payload, self.options.messages) if opcode == TEXT else payload
        except UnicodeDecodeError:
            if self._socket is not None:
                self._socket.close(MalformedFrame("a text message that is not UTF-8"))
            return
        try:
            for expected in self._expected:
                if expected.matches(message):
                    self._expected.remove(expected)
                    expected.give(message)
                    break
            self.on_message(message)
        except Exception as error:  # whatever a scenario does wrong must not end the connection
            self._recorder.failure(TASK, f"on_message of {self.name}", 0.0, handler_error(error))

    def _take_pong(self, payload: bytes) -> None:
        result = self._pings.pop(payload, None)
        if result is not None:
            result.set(True)

    def _lost(self, error: TransportError) -> None:
        """The connection is gone, and not because this side closed it."""
        self._socket = None
        self._stop_pinging()
        self._give_up(error)
        allowed = isinstance(error, ClosedByServer) and error.code in self.options.may_close
        if self._wanted and not allowed:
            self._recorder.failure(CONNECT, self.name, 0.0, str(error))  # the user was kept from being connected
            if self.options.reconnect:
                self._come_back()
        code, reason = (error.code, error.reason) if isinstance(error, ClosedByServer) else (_ABNORMAL, "")
        try:
            self.on_closed(code, reason)
        except Exception as raised:
            self._recorder.failure(TASK, f"on_closed of {self.name}", 0.0, handler_error(raised))

    def _give_up(self, error: TransportError) -> None:
        expected, self._expected, self._pings, pings = self._expected, [], {}, self._pings
        for one in expected:
            one.fail(error)
        for result in pings.values():
            result.set_exception(error)

    def _keep_alive(self) -> None:
        """Ask again and again whether the server is there; who does not answer is gone."""
        socket = self._socket
        while socket is not None and socket is self._socket and not socket.closed:
            if self.ping(self.options.ping_timeout_s) is None and not socket.closed:
                socket.close(ReadTimeout(f"no pong within {self.options.ping_timeout_s:g} s"))
                return
            gevent.sleep(self.options.ping_every_s)

    def _stop_pinging(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer is not gevent.getcurrent():
            timer.kill(block=False)


_ABNORMAL = 1006
"""RFC 6455, section 7.1.5: the connection ended without a close frame."""
_NOTHING = object()


class _ExpectedMessage(Expected):
    """A message that somebody waits for, told by its content."""

    __slots__ = ("matches",)

    def __init__(self, matches: Callable[[Any], Any]) -> None:
        super().__init__()
        self.matches = matches


def _matcher(match: Match) -> Callable[[Any], Any]:
    if match is None:
        return lambda _message: True
    if callable(match):
        return match
    demands = match.items()

    def holds(message: Any) -> bool:
        return all(value in json_path.find(path, message)[:1] for path, value in demands)

    for path in match:
        json_path.find(path, None)  # one that cannot be read is an error where it stands
    return holds


def _frame_of(message: Any) -> tuple[bytes, int]:
    """The payload of a message and its opcode; `TypeError` for what is no JSON."""
    if isinstance(message, str):
        return message.encode(), TEXT
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message), BINARY
    return orjson.dumps(message), TEXT


def _read(payload: bytes, how: str) -> Any:
    """A text message as scenarios get it; `UnicodeDecodeError` when it is no text."""
    if how == "raw":
        return payload.decode()
    known = _memo.get(payload, _NOTHING)
    if known is not _NOTHING:
        return known
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        message = payload.decode()
    if len(payload) <= _MEMO_LONGEST_BYTES:
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        _memo[payload] = message
    return message


def _with_path(options: WebSocketOptions, path: str) -> WebSocketOptions:
    return options if options.path == path else replace(options, path=path)
