"""Reading HTTP responses from a connection, with httptools; a head that is known byte by byte is not parsed again.

Servers repeat themselves: between two seconds even the Date field stays the same. What httptools made of a head is kept
for the whole process, and the body of a known head is counted off without the parser.
"""

from __future__ import annotations

import httptools

from dbz.load.generator.http.decoding import decompress
from dbz.load.generator.net.faults import (
    BodyTooLarge,
    ConnectionLost,
    HeadersTooLarge,
    MalformedResponse,
    UnaskedResponse,
)
from dbz.load.generator.net.wire import Connection

MAX_HEADER_BYTES = 65_536
_NO_BODY = frozenset({204, 304})
_MAX_KNOWN_HEADS = 512
_LARGEST_KNOWN_HEAD_BYTES = 2_048


class Head:
    """Status and header fields of a response. `length` is the announced size of the body in bytes, or -1."""

    __slots__ = ("chunked", "encoding", "fields", "keep", "length", "sets_cookies", "status")

    def __init__(self, status: int, fields: list[tuple[bytes, bytes]], keep: bool) -> None:
        self.status = status
        self.fields = fields
        self.keep = keep
        self.length = -1
        self.chunked = self.sets_cookies = False
        self.encoding = b""
        for name, value in fields:
            self._note(name.lower(), value)

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self.length = int(value)
        elif name == b"transfer-encoding":
            self.chunked = True
        elif name == b"content-encoding":
            self.encoding = self.encoding + b"," + value if self.encoding else value
        elif name == b"set-cookie":
            self.sets_cookies = True


_NOTHING = Head(0, [], False)
_known_heads: dict[bytes, Head] = {}


class ResponseReader:
    """Reads the responses of one connection, one after the other. httptools calls the `on_…` methods.

    `started` tells whether any byte of an answer came. `leftover` are bytes of the next protocol that arrived with the
    answer to an upgrade.
    """

    __slots__ = (
        "_body",
        "_done",
        "_extra",
        "_fields",
        "_head",
        "_limit",
        "_more",
        "_parser",
        "_size",
        "_without_body",
        "leftover",
        "started",
    )

    def __init__(self, max_body_bytes: int) -> None:
        self._limit = max_body_bytes
        self._parser: httptools.HttpResponseParser | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._more: bytearray | None = None
        self._head = _NOTHING
        self._size = 0
        self._done = self._extra = self._without_body = self.started = False
        self.leftover = b""

    def read(self, connection: Connection, method: str, early: bytes = b"") -> tuple[Head, bytes]:
        """Read the whole answer to a request, of which `early` has been read: its head, and its body decompressed.

        Raises `ConnectionLost`, `MalformedResponse`, `HeadersTooLarge`, `BodyTooLarge`, `UnaskedResponse` or
        `ReadTimeout`.
        """
        self.started = False
        data = early or connection.recv()
        self.started = bool(data)
        end = data.find(b"\r\n\r\n") + 4
        head = _known_heads.get(data[:end]) if end > 3 else None
        if head is not None and method != "HEAD":
            body = self._count_off(connection, data, end, head.length)
        else:
            self._parse(connection, method, data)
            head = self._head
            body = self._body if self._more is None else bytes(self._more)
            self._remember(data[:end])
            self._body, self._more = b"", None
        if head.encoding and body:
            body = decompress(body, head.encoding.decode("latin-1"), self._limit)
        return head, body

    def close(self) -> None:
        """Let go of the parser. It holds its reader: as a cycle both would wait for the garbage collector."""
        self._parser = None

    def _count_off(self, connection: Connection, data: bytes, end: int, length: int) -> bytes:
        """The body of a known head, whose length is announced."""
        if length > self._limit:
            raise BodyTooLarge(f"{length:,} bytes announced, {self._limit:,} allowed")
        if len(data) - end == length:
            return data[end:]
        body = bytearray(data[end:])
        while len(body) < length:
            more = connection.recv()
            if not more:
                raise ConnectionLost("closed before the answer was complete")
            body += more
        if len(body) > length:
            raise UnaskedResponse("bytes after the end of the answer")
        return bytes(body)

    def _remember(self, raw: bytes) -> None:
        """Keep what a head means, when it means the same for every GET: a final answer of announced length."""
        head = self._head
        plain = head.length >= 0 and not head.chunked and head.status not in _NO_BODY and not self._without_body
        # The comparison of the status leaves out the heads of interim answers and anything that is cut off.
        if plain and 12 < len(raw) <= _LARGEST_KNOWN_HEAD_BYTES and raw[9:12] == b"%d" % head.status:
            if len(_known_heads) >= _MAX_KNOWN_HEADS:
                _known_heads.clear()
            _known_heads[raw] = head

    def _parse(self, connection: Connection, method: str, data: bytes) -> None:
        self._reset(method)
        surplus = 0
        while True:
            size = self._size
            self._feed(data)
            if self._done:
                break
            if not data:
                self._end()
                return
            if self._size == size:  # head, chunk sizes or trailers: bounded, because the parser keeps parts of them
                surplus += len(data)
                if surplus > MAX_HEADER_BYTES:
                    raise HeadersTooLarge(f"more than {MAX_HEADER_BYTES:,} bytes")
            data = connection.recv()
            self.started = self.started or bool(data)
        if self._extra:
            raise UnaskedResponse("bytes after the end of the answer")

    def _feed(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._done = True
            self._parser = None
            self._head.keep = False
            self.leftover = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._parser = None
            cause = error.__context__
            if isinstance(cause, BodyTooLarge):
                raise cause from None
            if not self._done:
                raise MalformedResponse(str(error)) from error
            self._extra = True  # the answer is complete; what follows it is no answer

    def _end(self) -> None:
        """The server closed the connection: complete only when there was no length and no chunking."""
        self._parser = None
        if not self.started:
            raise ConnectionLost("closed without an answer")
        if self._head is _NOTHING or self._head.length >= 0 or self._head.chunked:
            raise ConnectionLost("closed before the answer was complete")
        self._head.keep = False

    def _reset(self, method: str) -> None:
        if self._parser is None or self._without_body:  # after a HEAD it still waits for the body that never comes
            self._parser = httptools.HttpResponseParser(self)
        self._without_body = method == "HEAD"
        self._fields = []
        self._head = _NOTHING
        self._size = 0
        self._done = self._extra = False

    def on_message_begin(self) -> None:
        """A message begins; a second one is one too many."""
        self._extra = self._done

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field was parsed; trailers, which come after the body, are left out."""
        if self._head is _NOTHING:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """All header fields were parsed."""
        assert self._parser is not None
        if self._extra:
            return
        status = self._parser.get_status_code()
        if status < 200 and status != 101:  # an interim answer, such as 100 Continue: the real one follows
            self._fields = []
            return
        head = self._head = Head(status, self._fields, self._parser.should_keep_alive())
        if self._without_body or status in _NO_BODY:
            self._done = True
        elif head.length > self._limit:
            raise BodyTooLarge(f"{head.length:,} bytes announced, {self._limit:,} allowed")

    def on_body(self, data: bytes) -> None:
        """A part of the body was parsed."""
        if self._done:
            self._extra = True
            return
        self._size += len(data)
        if self._size > self._limit:
            raise BodyTooLarge(f"more than {self._limit:,} bytes")
        if not self._body:
            self._body = data
        elif self._more is None:
            self._more = bytearray(self._body + data)
        else:
            self._more += data

    def on_message_complete(self) -> None:
        """The whole message was parsed."""
        self._done = self._head is not _NOTHING
