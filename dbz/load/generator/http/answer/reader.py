"""Reading HTTP responses from a connection; a head that is known byte by byte is not parsed again.

Servers repeat themselves: between two seconds even the Date field stays the same. What a head means is kept for the
whole process, and the body of a known head is counted off.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from dbz.load.generator.http.answer.decoding import decompress
from dbz.load.generator.http.answer.head import Head, parse_head
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.faults import (
    BodyTooLarge,
    ConnectionLost,
    HeadersTooLarge,
    MalformedResponse,
    UnaskedResponse,
)

MAX_HEADER_BYTES = 65_536
_MAX_KNOWN_HEADS = 512
_LARGEST_KNOWN_HEAD_BYTES = 2_048
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_CUT_OFF = "closed before the answer was complete"
_known_heads: dict[bytes, Head] = {}


def plain_head(data: bytes) -> tuple[Head, int] | None:
    """The head that `data` begins with and where it ends; None when it is not there whole, or is not a plain one."""
    end = data.find(b"\r\n\r\n") + 4
    head = _known_heads.get(data[:end]) if end > 3 else None
    if head is None:
        end = _end_of_head(data)
        if end < 0:
            return None
        try:
            head = parse_head(data[:end])
        except MalformedResponse:
            return None
        if head.plain:
            _remember(data[:end], head)
    return (head, end) if head.plain else None


class ResponseReader:
    """Reads the responses of one connection, one after the other."""

    __slots__ = ("_bodyless", "_limit", "_rest", "body_bytes", "first_byte_s", "leftover", "reusable", "started")

    def __init__(self, max_body_bytes: int) -> None:
        self._limit = max_body_bytes
        self._rest = b""
        self._bodyless = False
        self.started = False
        """Whether any byte of the last answer came."""
        self.first_byte_s = 0.0
        """When the first of them came, on the monotonic clock."""
        self.body_bytes = 0
        """The size of the last whole body as it was sent, still encoded."""
        self.reusable = False
        """Whether the connection can carry another request after the last answer."""
        self.leftover = b""
        """Bytes of the next protocol that arrived with the answer to an upgrade."""

    def read(self, connection: Connection, method: str, early: bytes = b"") -> tuple[Head, bytes]:
        """Read the whole answer to a request, of which `early` has been read: its head, and its body decompressed.

        Raises `ConnectionLost`, `MalformedResponse`, `HeadersTooLarge`, `BodyTooLarge`, `UnaskedResponse` or
        `ReadTimeout`. Whatever ends the reading of Server-Sent Events gets a note that says so.
        """
        self.started = False
        data = early or connection.recv(1, None if method == "HEAD" else self.size)
        self.first_byte_s = connection.arrived_s or time.monotonic()
        self.started = bool(data)
        end = data.find(b"\r\n\r\n") + 4
        head = _known_heads.get(data[:end]) if end > 3 else None
        if head is not None and method != "HEAD":
            body = self._count_off(connection, data, end, head.length)
            self.reusable = head.keep
        else:
            head = self._begin(connection, method, data)
            body = self._whole(connection, head)
        self.body_bytes = len(body)
        if head.encoding and body:
            body = decompress(body, head.encoding.decode("latin-1"), self._limit)
        return head, body

    def size(self, data: bytes) -> int:
        """How long the answer is that `data` begins with; 0 when that cannot be said, or it would not be read."""
        head, end = plain_head(data) or (None, 0)
        return end + head.length if head is not None and head.length <= self._limit else 0

    def begin(self, connection: Connection, method: str, early: bytes = b"") -> Head:
        """Read the head of an answer only; `pieces` gives its body. Raises as `read` does."""
        self.started = False
        data = early or connection.recv()
        self.first_byte_s = time.monotonic()
        self.started = bool(data)
        return self._begin(connection, method, data)

    def pieces(self, connection: Connection, head: Head) -> Iterator[bytes]:
        """The body of the answer that `begin` began, still encoded, in pieces as they arrive.

        Raises as `read` does; a body that was cut off is never taken for a whole one.
        """
        data, self._rest = self._rest, b""
        if self._bodyless:
            return
        if head.chunked:
            yield from self._chunks(connection, data)
        elif head.length < 0:
            yield data
            while data := connection.recv():
                yield data
        else:
            missing = head.length
            while len(data) < missing:
                yield data
                missing -= len(data)
                data = _more(connection)
            yield data[:missing]
            if len(data) > missing:
                raise UnaskedResponse("bytes after the end of the answer")

    def _begin(self, connection: Connection, method: str, data: bytes) -> Head:
        """The head of the final answer; what came with it stays in `_rest`. Interim answers are passed over."""
        if not data:
            raise ConnectionLost("closed without an answer")
        surplus = 0
        while True:
            data, end = _until_head(connection, data)
            raw, data = data[:end], data[end:]
            head = parse_head(raw)
            if head.status >= 200 or head.status == 101:
                break
            surplus += end
            if surplus > MAX_HEADER_BYTES:
                raise HeadersTooLarge(f"more than {MAX_HEADER_BYTES:,} bytes")
            data = data or _more(connection)
        self._bodyless = method == "HEAD" or head.without_body
        if head.status == 101:
            self.leftover, self.reusable = data, False
        elif self._bodyless:
            # What a server sends in spite of that is no answer either: the connection is done with.
            self.reusable = head.may_stay_open and not data
        else:
            self._rest, self.reusable = data, head.keep
            if not surplus:
                _remember(raw, head)
        return head

    def _whole(self, connection: Connection, head: Head) -> bytes:
        if self._bodyless or (head.length == 0 and not self._rest):
            return b""
        if head.length >= 0 and not head.chunked:
            data, self._rest = self._rest, b""
            return self._count_off(connection, data, 0, head.length)
        body = bytearray()
        try:
            for piece in self.pieces(connection, head):
                body += piece
                if len(body) > self._limit:
                    raise BodyTooLarge(f"more than {self._limit:,} bytes")
        except BaseException as error:
            if head.content_type.startswith("text/event-stream"):
                error.add_note(" (an event stream, which need not end: read it with stream=True)")
            raise
        return bytes(body)

    def _count_off(self, connection: Connection, data: bytes, end: int, length: int) -> bytes:
        """A whole body whose length is announced; `data` has its beginning at `end`."""
        if length > self._limit:
            raise BodyTooLarge(f"{length:,} bytes announced, {self._limit:,} allowed")
        if len(data) - end == length:
            return data[end:]
        pieces, missing = [data[end:]], length - len(data) + end
        while missing > 0:
            pieces.append(_more(connection, missing))
            missing -= len(pieces[-1])
        if missing < 0:
            raise UnaskedResponse("bytes after the end of the answer")
        return b"".join(pieces)

    def _chunks(self, connection: Connection, data: bytes) -> Iterator[bytes]:
        """The data of a chunked body (RFC 9112, section 7.1); extensions and trailers are passed over.

        `position` moves through what has arrived. Cutting each chunk off would copy what remains each time, which a
        server that sends chunks of one byte could make as slow as it likes.
        """
        position = 0
        while True:
            data, position, line = _line(connection, data, position)
            size_line = _CHUNK_LINE.fullmatch(line)
            if size_line is None:
                raise MalformedResponse(f"a chunk size was expected, not {line[:40].decode('latin-1').strip()!r}")
            missing = int(size_line[1], 16)
            if not missing:
                break
            while missing:
                if position == len(data):
                    data, position = _more(connection), 0
                piece = data[position : position + missing]
                yield piece
                position += len(piece)
                missing -= len(piece)
            data, position, line = _line(connection, data, position)
            if line != b"\r\n":
                raise MalformedResponse("a chunk that is longer than it says")
        trailers = 0
        while line not in (b"\r\n", b"\n"):
            data, position, line = _line(connection, data, position)
            trailers += len(line)
            if trailers > MAX_HEADER_BYTES:
                raise HeadersTooLarge(f"trailers of more than {MAX_HEADER_BYTES:,} bytes")
        if position < len(data):
            raise UnaskedResponse("bytes after the end of the answer")


def _more(connection: Connection, wanted: int = 1) -> bytes:
    data = connection.recv(wanted)
    if not data:
        raise ConnectionLost(_CUT_OFF)
    return data


def _line(connection: Connection, data: bytes, position: int) -> tuple[bytes, int, bytes]:
    """The line at `position`, with its end; returned after the bytes that it was found in and where it ends in them."""
    end = data.find(b"\n", position)
    while end < 0:
        if len(data) - position > MAX_HEADER_BYTES:
            raise HeadersTooLarge(f"a line of more than {MAX_HEADER_BYTES:,} bytes")
        data, position = data[position:] + _more(connection), 0
        end = data.find(b"\n")
    return data, end + 1, data[position : end + 1]


def _until_head(connection: Connection, data: bytes) -> tuple[bytes, int]:
    """`data` and what follows it, up to a whole head at least, and where that ends."""
    end = _end_of_head(data)
    while end < 0:
        if len(data) > MAX_HEADER_BYTES:
            raise HeadersTooLarge(f"more than {MAX_HEADER_BYTES:,} bytes")
        if not data.startswith(b"HTTP/1."[: len(data)]):
            parse_head(data)  # raises: whoever speaks something else need not end its line first
        data += _more(connection)
        end = _end_of_head(data)
    return data, end


def _end_of_head(data: bytes) -> int:
    """Where the first empty line ends, or -1: lines may end in CR LF or, from some servers, in LF alone."""
    strict = data.find(b"\r\n\r\n")
    bare = data.find(b"\n\n", 0, strict) if strict >= 0 else data.find(b"\n\n")
    mixed = data.find(b"\n\r\n", 0, strict) if strict >= 0 else data.find(b"\n\r\n")
    ends = [end for end in (strict + 4, bare + 2, mixed + 3) if end > 3]
    return min(ends) if ends else -1


def _remember(raw: bytes, head: Head) -> None:
    """Keep what a head means, when it means the same for every GET: a final answer of announced length."""
    if head.length >= 0 and len(raw) <= _LARGEST_KNOWN_HEAD_BYTES and raw.endswith(b"\r\n\r\n"):
        if len(_known_heads) >= _MAX_KNOWN_HEADS:
            _known_heads.clear()
        _known_heads[raw] = head
