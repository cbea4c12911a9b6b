"""The connections of one virtual user to one server: kept alive, tried, and replaced when the server closed them."""

from __future__ import annotations

import ssl
import time
from typing import NamedTuple

from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.http.answer.streaming import BodyStream
from dbz.load.generator.http.request.outgoing import IDEMPOTENT
from dbz.load.generator.http.request.plain import PlainRequest
from dbz.load.generator.http.request.urls import full_url
from dbz.load.generator.http.response import Response
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.connecting import connect
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.faults import ConnectionLost, ConnectTimeout, ReadTimeout, UnaskedResponse
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import Proxy
from dbz.load.generator.net.wire import DirectConnection

_CONTINUE_PATIENCE_S = 1.0
_HINTS = (b"102", b"103")


class Waits(NamedTuple):
    """How long a request may wait."""

    connect_s: float
    """Seconds for a connection, its TLS handshake included."""
    read_s: float = 0.0
    """Seconds for each single wait for bytes; 0 for as long as the whole request may take."""


class BegunRequest(NamedTuple):
    """A request that whoever borrowed a connection has sent over it, as far as it came."""

    connection: Connection
    reader: ResponseReader
    message: bytes
    started_s: float
    """When it was sent, on the monotonic clock."""
    unsent: bytes = b""
    """What of `message` the network has not taken yet."""
    early: bytes = b""
    """What has come of the answer."""
    first_byte_s: float = 0.0
    """When the first of it came, on the monotonic clock."""
    error: BaseException | None = None
    """Why it goes no further."""


class Pool:
    """Kept-alive connections to an origin, directly or through a proxy."""

    def __init__(
        self,
        origin: Origin,
        context: ssl.SSLContext | None,
        proxy: Proxy | None,
        max_body_bytes: int,
        access: UserAccess | None,
    ) -> None:
        self.origin = origin
        self._context = context
        self._proxy = proxy
        self._max_body_bytes = max_body_bytes
        self._access = access
        self._idle: list[tuple[Connection, ResponseReader]] = []

    @property
    def proxy_fields(self) -> dict[str, str]:
        """Header fields that the proxy wants; TLS goes through a tunnel that has seen them already."""
        if self._proxy is None or self.origin.tls or not self._proxy.authorization:
            return {}
        return {"Proxy-Authorization": self._proxy.authorization}

    def target(self, target: str) -> str:
        """A request target as this way to the server wants it: a proxy needs the whole URL."""
        return full_url(self.origin, target) if self._proxy is not None and not self.origin.tls else target

    def exchange(self, response: Response, message: bytes, deadline_s: float, waits: Waits, body: bytes = b"") -> None:
        """Send a request and read its answer; `body` is sent when the server says that it will take it.

        A request that may be repeated is sent once more, on a new connection, when a kept one turns out to be closed.
        """
        response.sent = message
        repeatable = response.method in IDEMPOTENT
        kept = self._take(repeatable)
        if kept is not None:
            try:
                self._converse(kept, response, message, deadline_s, waits, body)
                return
            except ConnectionLost:
                if not repeatable or kept[1].started:
                    raise
        self._converse(self._open(response, deadline_s, waits), response, message, deadline_s, waits, body)

    def repeat(self, response: Response, plain: PlainRequest, deadline_s: float, waits: Waits) -> bool:
        """As `exchange` of a plain request, which learns the answer unless it knew it: returns whether it did."""
        response.sent = plain.message
        kept = self._take(repeatable=True)
        if kept is not None:
            try:
                return self._ask(kept, response, plain, deadline_s, waits)
            except ConnectionLost:
                if kept[1].started:
                    raise
        return self._ask(self._open(response, deadline_s, waits), response, plain, deadline_s, waits)

    def lend(self) -> tuple[DirectConnection, ResponseReader] | None:
        """The connection that was used last, until it is given back; None when that is no plain socket."""
        connection, reader = self._idle[-1] if self._idle else (None, None)
        if not isinstance(connection, DirectConnection) or reader is None or connection.encrypted or connection.unasked:
            return None
        del self._idle[-1]
        return connection, reader

    def give_back(self, connection: Connection, reader: ResponseReader) -> None:
        """Take back a lent connection that carries no request."""
        self._idle.append((connection, reader))

    def resume(self, response: Response, begun: BegunRequest, deadline_s: float, waits: Waits) -> None:
        """As `exchange`, of a request that was begun over a lent connection; it gets the same second try."""
        response.sent = begun.message
        begun.reader.started = bool(begun.early)
        try:
            self._finish(begun, response, deadline_s, waits)
        except ConnectionLost:
            if response.method not in IDEMPOTENT or begun.reader.started:
                raise
            self._converse(self._open(response, deadline_s, waits), response, begun.message, deadline_s, waits, b"")

    def begin(self, response: Response, message: bytes, deadline_s: float, waits: Waits) -> None:
        """As `exchange`, but read the head only: `response.stream` gives the body, and brings the connection back."""
        response.sent = message
        kept = self._take(repeatable=False)
        connection, reader = pair = kept or self._open(response, deadline_s, waits)
        connection.deadline_s, connection.read_timeout_s = deadline_s, waits.read_s
        wait_s = waits.read_s or deadline_s - time.monotonic()
        try:
            connection.send(message)
            head = reader.begin(connection, response.method)
        except BaseException:
            connection.close()
            raise
        response.take(head, b"")
        response.first_byte_s, response.received_bytes = reader.first_byte_s, max(head.length, 0)
        response.stream = BodyStream(connection, reader, head, wait_s, lambda reusable: self._keep(pair, reusable))

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def _converse(
        self,
        pair: tuple[Connection, ResponseReader],
        response: Response,
        message: bytes,
        deadline_s: float,
        waits: Waits,
        body: bytes,
    ) -> None:
        connection, reader = pair
        connection.deadline_s = deadline_s
        connection.read_timeout_s = waits.read_s
        try:
            connection.send(message)
            if body:
                head, content = _converse_with_consent(connection, reader, response.method, body)
            else:
                head, content = reader.read(connection, response.method)
        except BaseException:
            connection.close()
            raise
        self._hand_over(pair, response, head, content)

    def _ask(
        self,
        pair: tuple[Connection, ResponseReader],
        response: Response,
        plain: PlainRequest,
        deadline_s: float,
        waits: Waits,
    ) -> bool:
        connection, reader = pair
        connection.deadline_s = deadline_s
        connection.read_timeout_s = waits.read_s
        reader.started = False
        try:
            data = connection.ask(plain.message, plain.answer, reader.size)
            if data and data == plain.answer:  # which may have become another object meanwhile
                response.head = head = plain.head
                response.status_code, response.body, response.received_bytes = head.status, plain.body, plain.length
                response.first_byte_s = connection.arrived_s or time.monotonic()
                self._idle.append(pair)
                return True
            head, content = reader.read(connection, plain.method, data)
            plain.learn(data, head, content)
        except BaseException:
            connection.close()
            raise
        self._hand_over(pair, response, head, content)
        return False

    def _finish(self, begun: BegunRequest, response: Response, deadline_s: float, waits: Waits) -> None:
        connection, reader = begun.connection, begun.reader
        connection.deadline_s, connection.read_timeout_s = deadline_s, waits.read_s
        try:
            if begun.error is not None:
                raise begun.error
            if begun.unsent:
                connection.send(begun.unsent)
            head, content = reader.read(connection, response.method, begun.early)
        except BaseException:
            connection.close()
            raise
        response.take(head, content)
        response.first_byte_s, response.received_bytes = begun.first_byte_s or reader.first_byte_s, reader.body_bytes
        self._keep((connection, reader), reader.reusable)

    def _hand_over(
        self, pair: tuple[Connection, ResponseReader], response: Response, head: Head, content: bytes
    ) -> None:
        """Give an answer that was read to its response, and keep the connection if it can carry another one."""
        reader = pair[1]
        response.head, response.status_code, response.body = head, head.status, content
        response.first_byte_s, response.received_bytes = reader.first_byte_s, reader.body_bytes
        self._keep(pair, reader.reusable)

    def _keep(self, pair: tuple[Connection, ResponseReader], reusable: bool) -> None:
        if reusable:
            self._idle.append(pair)
        else:
            pair[0].close()

    def _take(self, repeatable: bool) -> tuple[Connection, ResponseReader] | None:
        """A kept-alive connection; one for a request that must not be repeated is checked to be open still."""
        while self._idle:
            pair = self._idle.pop()
            connection = pair[0]
            if not connection.unasked and (repeatable or not connection.stale()):
                return pair
            connection.close()
        return None

    def _open(self, response: Response, deadline_s: float, waits: Waits) -> tuple[Connection, ResponseReader]:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise ConnectTimeout("no time left to connect")
        connection = connect(self.origin, min(waits.connect_s, left_s), self._context, self._proxy, self._access)
        response.connections += 1
        response.connect_s += connection.connect_s
        response.tls_s += connection.tls_s
        if not self.origin.tls and connection.recv_now():
            connection.close()
            raise UnaskedResponse("the server spoke before it was asked")
        return connection, ResponseReader(self._max_body_bytes)


def _converse_with_consent(
    connection: Connection, reader: ResponseReader, method: str, body: bytes
) -> tuple[Head, bytes]:
    """Wait for `100 Continue` before sending the body (RFC 9110, section 10.1.1), but not for ever."""
    read_timeout_s, connection.read_timeout_s = connection.read_timeout_s, _CONTINUE_PATIENCE_S
    early = b""
    try:
        while b"\r\n\r\n" not in early:
            more = connection.recv()
            early += more
            if not more:
                raise ConnectionLost("closed before the answer was complete" if early else "closed without an answer")
            if early[9:12] in _HINTS:  # such as 103 Early Hints: the server has not decided yet
                early = early.partition(b"\r\n\r\n")[2] if b"\r\n\r\n" in early else early
    except ReadTimeout:
        if time.monotonic() >= connection.deadline_s:
            raise
    connection.read_timeout_s = read_timeout_s
    if not early or early[9:12] == b"100":
        connection.send(body)
        return reader.read(connection, method, early)
    answer = reader.read(connection, method, early)
    reader.reusable = False  # the server still expects the body that it did not want
    return answer
