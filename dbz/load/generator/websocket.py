"""A WebSocket client (RFC 6455) that costs no greenlet: arriving messages are handed over on the event loop.

A virtual user that only listens is a socket, a watcher and a buffer. What handles messages must not block.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Callable, Mapping

from gevent.hub import get_hub

from dbz.load.generator.response import Response, ResponseReader
from dbz.load.generator.wire import Connection, ConnectionLost, MalformedResponse, Origin, TransportError

MAX_MESSAGE_BYTES = 4_000_000
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_FIN = 0x80


class HandshakeRefused(TransportError):  # noqa: N818 the class name is what the report shows
    """The server answered the opening handshake with something else than an upgrade."""

    name = "HandshakeRefused"


class FrameReader:
    """Cuts a byte stream into messages; fragmented ones are put together."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = b""
        self._fragments: list[bytes] = []
        self._fragment_opcode = 0
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages (opcode, payload) that are complete now; `MalformedResponse` for what no server may send."""
        if self._buffer:
            data = self._buffer + data
        messages: list[tuple[int, bytes]] = []
        position, size = 0, len(data)
        while size - position >= 2:
            length, start = data[position + 1], position + 2
            if length >= 126:
                if length > 127:
                    raise MalformedResponse("a masked frame from the server")
                wide = 2 if length == 126 else 8
                if size - start < wide:
                    break
                length, start = int.from_bytes(data[start : start + wide], "big"), start + wide
            if length > self._max_bytes:
                raise MalformedResponse(f"a message of {length:,} bytes, {self._max_bytes:,} allowed")
            if size - start < length:
                break
            self._frame(data[position], data[start : start + length], messages)
            position = start + length
        self._buffer = data[position:]
        return messages

    def _frame(self, first: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        opcode, final = first & 0x0F, first & _FIN
        if first & 0x70:
            raise MalformedResponse("a frame with an extension that was not agreed on")
        if final and opcode != CONTINUATION:
            messages.append((opcode, payload))
            return
        if opcode != CONTINUATION:
            self._fragment_opcode = opcode
        self._fragments.append(payload)
        if sum(map(len, self._fragments)) > self._max_bytes:
            raise MalformedResponse("a fragmented message that is too large")
        if final:
            messages.append((self._fragment_opcode, b"".join(self._fragments)))
            self._fragments = []


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One final frame, masked as clients must."""
    length = len(payload)
    mask = os.urandom(4)
    if length < 126:
        head = struct.pack(">BB4s", _FIN | opcode, _FIN | length, mask)
    elif length < 65536:
        head = struct.pack(">BBH4s", _FIN | opcode, _FIN | 126, length, mask)
    else:
        head = struct.pack(">BBQ4s", _FIN | opcode, _FIN | 127, length, mask)
    whole = (mask * (length // 4 + 1))[:length]
    return head + (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(length, "big")


class WebSocket:
    """An open WebSocket. `on_message` gets (opcode, payload) on the event loop, `on_close` why it ended, once."""

    def __init__(
        self,
        connection: Connection,
        on_message: Callable[[int, bytes], None],
        on_close: Callable[[TransportError], None],
    ) -> None:
        self._connection = connection
        self._frames = FrameReader()
        self._on_message = on_message
        self._on_close = on_close
        self._unsent = b""
        self.closed = False
        loop = get_hub().loop
        self._readable = loop.io(connection.fileno(), 1)
        self._writable = loop.io(connection.fileno(), 2)

    def start(self, already_read: bytes = b"") -> None:
        """Begin to hand over messages, those in bytes that were read with the handshake first."""
        self._readable.start(self._read)
        if already_read:
            self._take(already_read)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a message without waiting; what the network does not take yet is sent when it does."""
        if self.closed:
            raise ConnectionLost("the socket is closed")
        frame = encode_frame(opcode, payload)
        if self._unsent:
            self._unsent += frame
            return
        sent = self._connection.send_now(frame)
        if sent < len(frame):
            self._unsent = frame[sent:]
            self._writable.start(self._write)

    def close(self, error: TransportError | None = None) -> None:
        """Close the connection; `on_close` is told when something else than this side wanted it."""
        if self.closed:
            return
        self.closed = True
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        self._connection.close()
        if error is not None:
            self._on_close(error)

    def _read(self) -> None:
        data = self._connection.recv_now()
        while data and not self.closed:
            self._take(data)
            data = self._connection.recv_more()
        if data == b"":
            self.close(ConnectionLost("closed by the server"))

    def _take(self, data: bytes) -> None:
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode <= BINARY:
                    self._on_message(opcode, payload)
                elif opcode == PING:
                    self.send(payload, PONG)
                elif opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
                    self.close(ConnectionLost(f"closed by the server with code {code}"))
        except TransportError as error:
            self.close(error)

    def _write(self) -> None:
        try:
            sent = self._connection.send_now(self._unsent)
        except TransportError as error:
            self.close(error)
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._writable.stop()


def upgrade(connection: Connection, origin: Origin, target: str, headers: Mapping[str, str]) -> bytes:
    """Carry out the opening handshake; `HandshakeRefused` when the server does not agree.

    Returns the frames that came together with the answer: a server may speak first.
    """
    key = base64.b64encode(os.urandom(16))
    fields = {
        "Host": f"{origin.host}:{origin.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    connection.send(head.encode("latin-1"))
    response = Response("GET", target, "upgrade", lambda *_: None)
    reader = ResponseReader(MAX_MESSAGE_BYTES)
    reader.read(connection, response)
    if response.status_code != 101:
        raise HandshakeRefused(f"HTTP {response.status_code} {response.text[:120]}".strip())
    expected = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324 the protocol says so
    if response.headers.get("sec-websocket-accept") != expected:
        raise HandshakeRefused("the server's Sec-WebSocket-Accept is wrong")
    return reader.leftover
