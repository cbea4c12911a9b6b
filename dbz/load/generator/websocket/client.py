"""A WebSocket client (RFC 6455) that costs no greenlet: arriving messages are handed over on the event loop.

A virtual user that only listens is a socket, a watcher and a few small objects. What handles messages must not block.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import ssl
import struct
from collections.abc import Callable, Mapping

from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.http.request.fields import one_line
from dbz.load.generator.http.response import Headers, decoded
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.connecting import connect
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.faults import (
    ClosedByServer,
    ConnectionLost,
    HandshakeRefused,
    MessageTooLarge,
    TransportError,
)
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.websocket import deflate
from dbz.load.generator.websocket.frames import BINARY, CLOSE, COMPRESSED, PING, PONG, TEXT, FrameReader, encode_frame

MAX_MESSAGE_BYTES = 4_000_000
_MAX_UNSENT_BYTES = 16_000_000
_MAX_REFUSAL_BYTES = 100_000
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_LONGEST_REASON = 123
_NORMAL, _PROTOCOL_ERROR, _NO_CODE, _TOO_LARGE = 1000, 1002, 1005, 1009


class WebSocket:
    """An open WebSocket.

    From `start` on, `on_message` gets (opcode, payload) on the event loop, and `on_close` once why it ended, unless
    this side closed it. Both may be replaced at any time.
    """

    __slots__ = (
        "_connection",
        "_deflater",
        "_drain",
        "_early",
        "_frames",
        "_recv",
        "_unsent",
        "closed",
        "on_close",
        "on_message",
        "on_pong",
    )

    def __init__(self, connection: Connection, frames: FrameReader, deflater: deflate.Deflater | None, early: bytes):
        self._connection = connection
        self._recv = connection.recv_now
        self._drain = connection.recv_more if connection.encrypted else None
        self._frames = frames
        self._deflater = deflater
        self._early = early
        self._unsent: bytearray | None = None
        self.closed = False
        self.on_message: Callable[[int, bytes], None] = lambda _opcode, _payload: None
        self.on_pong: Callable[[bytes], None] = lambda _payload: None
        self.on_close: Callable[[TransportError], None] = lambda _error: None

    def start(self) -> None:
        """Begin to hand over messages, first those that came together with the answer to the handshake."""
        self._connection.listen(self._read)
        early, self._early = self._early, b""
        if early:
            self._take(early)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a message without waiting; what the network does not take yet is sent when it does.

        Raises `ConnectionLost` when the socket is closed, or the server has not read for so long that too much waits.
        """
        if self.closed:
            raise ConnectionLost("the socket is closed")
        if self._deflater is not None and opcode <= BINARY:
            packed = self._deflater.deflate(payload)
            if packed is not None:
                payload, opcode = packed, opcode | COMPRESSED
        frame = encode_frame(opcode, payload)
        if self._unsent is not None:
            if len(self._unsent) + len(frame) > _MAX_UNSENT_BYTES:
                raise ConnectionLost("the server does not read")
            self._unsent += frame
            return
        sent = self._connection.send_now(frame)
        if sent < len(frame):
            self._unsent = bytearray(frame[sent:])
            self._connection.when_writable(self._write)

    def size(self, payload: bytes, _opcode: int) -> int:
        """Bytes of a message as the server counts them."""
        return len(payload)

    @property
    def writable(self) -> bool:
        """Whether a message would go out now, and not wait for the network."""
        return not self.closed and self._unsent is None

    def close(self, error: TransportError | None = None, *, code: int = _NORMAL, reason: str = "") -> None:
        """Close the connection; `on_close` is told when something else than this side wanted it.

        `code` and `reason` are what the server is told when this side wanted it.
        """
        if self.closed:
            return
        if not isinstance(error, ConnectionLost):
            self._say_goodbye(error, code, reason)
        self.closed = True
        self._unsent = None
        self._connection.close()
        if error is not None:
            self.on_close(error)

    def _read(self) -> None:
        data = self._recv()
        if data:
            self._take(data)
            if self._drain is None:  # a plain socket: the event loop comes back when there is more
                return
            while data and not self.closed:
                data = self._drain()
                if data:
                    self._take(data)
        if data == b"":
            self.close(ConnectionLost("closed by the server"))

    def _take(self, data: bytes) -> None:
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode <= BINARY:
                    self.on_message(opcode, payload)
                elif opcode == PING:
                    self.send(payload, PONG)
                elif opcode == PONG:
                    self.on_pong(payload)
                elif opcode == CLOSE:
                    self._closed_by_server(payload)
                if self.closed:
                    return
        except TransportError as error:
            self.close(error)

    def _closed_by_server(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_CODE
        reason = payload[2:].decode("utf-8", "replace")
        with contextlib.suppress(TransportError):
            self.send(payload[:2], CLOSE)  # a server may wait for that before it lets the connection go
        self.close(ClosedByServer(code, reason))

    def _say_goodbye(self, error: TransportError | None, code: int, reason: str) -> None:
        if error is not None:
            code, reason = _TOO_LARGE if isinstance(error, MessageTooLarge) else _PROTOCOL_ERROR, ""
        try:
            self.send(struct.pack(">H", code) + reason.encode()[:_LONGEST_REASON], CLOSE)
        except TransportError:
            return  # whoever is gone already needs no goodbye

    def _write(self) -> None:
        unsent = self._unsent
        assert unsent is not None
        try:
            sent = self._connection.send_now(bytes(unsent))
        except TransportError as error:
            self.close(error)
            return
        del unsent[:sent]
        if not unsent:
            self._unsent = None
            self._connection.when_writable(None)


def open_websocket(
    origin: Origin,
    target: str,
    headers: Mapping[str, str],
    *,
    deadline_s: float,
    timeout_s: float,
    max_bytes: int = MAX_MESSAGE_BYTES,
    compression: bool = True,
    tls: ssl.SSLContext | None = None,
    cookies: CookieJar | None = None,
    access: UserAccess | None = None,
) -> WebSocket:
    """Connect and carry out the opening handshake; the socket waits for `start`.

    Waits in the calling greenlet until `deadline_s` on the monotonic clock at most. `cookies` are sent, and learn what
    the server sets with its answer. Raises `HandshakeRefused` when the
    server does not agree, and the errors of `connect`.
    """
    connection = connect(origin, timeout_s, tls, access=access)
    connection.deadline_s = deadline_s
    try:
        offer = deflate.OFFER if compression else ""
        early, extensions = upgrade(connection, origin, target, headers, offer, cookies)
        inflater, deflater = deflate.agree(extensions)
        return WebSocket(connection, FrameReader(max_bytes, inflater), deflater, early)
    except BaseException:
        connection.close()
        raise


def upgrade(
    connection: Connection,
    origin: Origin,
    target: str,
    headers: Mapping[str, str],
    offer: str = "",
    cookies: CookieJar | None = None,
) -> tuple[bytes, str]:
    """Carry out the opening handshake; `HandshakeRefused` when the server does not agree.

    Returns the frames that came together with the answer, for a server may speak first, and the extensions that the
    server chose from `offer`.
    """
    key = base64.b64encode(os.urandom(16))
    asked = {
        "Host": origin.authority,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
        **({"Sec-WebSocket-Extensions": offer} if offer else {}),
        **headers,
    }
    if cookies is not None:
        by_hand = "; ".join(asked.pop(name) for name in list(asked) if name.lower() == "cookie")
        if cookie := cookies.header_beside(by_hand, origin, target):
            asked["Cookie"] = cookie
    lines = "".join(one_line(f"{name}: {value}") + "\r\n" for name, value in asked.items())
    head = f"GET {target} HTTP/1.1\r\n{lines}\r\n"
    connection.send(head.encode("latin-1", "replace"))
    reader = ResponseReader(_MAX_REFUSAL_BYTES)
    answer, body = reader.read(connection, "GET")
    if cookies is not None:
        cookies.store(origin, target, answer.fields)
    fields = Headers(answer.fields)
    if answer.status != 101:
        text = decoded(body, fields.get("content-type", ""))
        raise HandshakeRefused(f"HTTP {answer.status} {text[:120]}".strip())
    expected = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324 the protocol says so
    if fields.get("sec-websocket-accept") != expected:
        raise HandshakeRefused("the server's Sec-WebSocket-Accept is wrong")
    chosen = fields.get("sec-websocket-protocol", "")
    offered = ",".join(value for name, value in headers.items() if name.lower() == "sec-websocket-protocol")
    if offered and not chosen:  # browsers and Node's clients fail then, too
        raise HandshakeRefused(f"the server chose none of the subprotocols that were offered ({offered[:60]})")
    if chosen and chosen not in [one.strip() for one in offered.split(",")]:
        raise HandshakeRefused(f"the server chose the subprotocol {chosen[:60]}, which was not offered")
    extensions = fields.get("sec-websocket-extensions", "")
    if extensions and not offer:
        raise HandshakeRefused("the server chose an extension that was not offered")
    return reader.leftover, extensions
