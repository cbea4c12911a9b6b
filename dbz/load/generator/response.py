"""An HTTP response, and reading one from a connection."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

import httptools
import orjson

from dbz.load.generator.wire import BodyTooLarge, Connection, ConnectionLost, MalformedResponse

MAX_BODY_BYTES = 64_000_000
_NO_BODY = frozenset({204, 304})


class Response:
    """What came back, or why nothing did. `elapsed_s` runs from sending to the last byte.

    In a `with` block (see `catch_response`) `success` and `failure` overrule the judgement by status.
    """

    __slots__ = (
        "_content",
        "_headers",
        "_raw_headers",
        "_record",
        "elapsed_s",
        "error",
        "method",
        "operation",
        "path",
        "status_code",
    )

    def __init__(self, method: str, path: str, operation: str, record: Callable[[Response, str, float], None]) -> None:
        self.method = method
        self.path = path
        self.operation = operation
        self.status_code = 0
        self.error = ""
        self.elapsed_s = 0.0
        self._record: Callable[[Response, str, float], None] | None = record
        self._raw_headers: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] | None = None
        self._content = b""

    @property
    def ok(self) -> bool:
        """Whether there was a complete answer with a status below 400 and nobody objected to it."""
        return not self.error and 0 < self.status_code < 400

    @property
    def headers(self) -> dict[str, str]:
        """Header fields by lower-case name; repeated ones are joined with a comma."""
        if self._headers is None:
            self._headers = {}
            for key, value in self._raw_headers:
                name, text = key.decode("latin-1").lower(), value.decode("latin-1")
                self._headers[name] = f"{self._headers[name]}, {text}" if name in self._headers else text
        return self._headers

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        return self._content

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self._content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; `ValueError` when it is not."""
        return orjson.loads(self._content)

    def success(self) -> None:
        """Count this response as a success whatever its status."""
        self.error = ""
        self._finish("")

    def failure(self, why: object) -> None:
        """Count this response as a failure."""
        self.error = str(why)
        self._finish(self.error)

    def finish(self) -> None:
        """Count this response by its status and error; only the first call counts."""
        if not self.error and self.status_code >= 400:
            self.error = f"HTTP {self.status_code}"
        self._finish(self.error)

    def _finish(self, error: str) -> None:
        record, self._record = self._record, None
        if record is not None:
            self.error = error
            record(self, self.operation, self.elapsed_s)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None and not self.error:
            self.error = f"{type(error).__name__}: {error}"
        self.finish()


class ResponseReader:
    """Parses the responses of one connection, one after the other. httptools calls the `on_…` methods.

    `leftover` are bytes of the next protocol that arrived with the answer to an upgrade.
    """

    __slots__ = (
        "_body",
        "_done",
        "_headers",
        "_headers_done",
        "_keep",
        "_limit",
        "_method",
        "_parser",
        "_size",
        "_status",
        "leftover",
        "started",
    )

    def __init__(self, max_body_bytes: int) -> None:
        self._limit = max_body_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._method = ""
        self._size = self._status = 0
        self._keep = self._done = self._headers_done = False
        self.started = False
        self.leftover = b""

    def read(self, connection: Connection, response: Response) -> bool:
        """Read one whole response; returns whether the connection can be used again.

        Raises `ConnectionLost`, `MalformedResponse`, `BodyTooLarge` or `ReadTimeout`.
        """
        self._reset(response.method)
        parser = self._parser
        ended = False
        while not self._done and not ended:
            data = connection.recv()
            self.started = self.started or bool(data)
            ended = not data
            try:
                parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._done = True
                self.leftover = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                raise self._explain(error) from error
        if ended and not self._ends_with_connection():
            raise ConnectionLost(
                "closed before the answer was complete" if self.started else "closed without an answer"
            )
        return self._fill(response) and not ended

    def _fill(self, response: Response) -> bool:
        response.status_code = self._status
        response._raw_headers = self._headers
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        encoding = _field(self._headers, b"content-encoding")
        response._content = _decompress(body, encoding, self._limit) if body and encoding else body
        if self._method == "HEAD":
            self._parser = httptools.HttpResponseParser(self)  # it still waits for the body that a HEAD never gets
        return self._keep

    def _ends_with_connection(self) -> bool:
        """Whether the end of the connection is the end of the body: there was no length and no chunking."""
        return (
            self._headers_done
            and _field(self._headers, b"content-length") is None
            and _field(self._headers, b"transfer-encoding") is None
        )

    def _explain(self, error: Exception) -> Exception:
        cause = error.__context__
        return cause if isinstance(cause, BodyTooLarge) else MalformedResponse(str(error))

    def _reset(self, method: str) -> None:
        self._method = method
        self._headers = []
        self._body = []
        self._size = 0
        self._done = self._headers_done = self.started = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field was parsed."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All header fields were parsed."""
        self._status = status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()
        if status < 200 and status != 101:  # an interim answer, such as 100 Continue: the real one follows
            self._headers = []
            return
        self._headers_done = True
        length = _field(self._headers, b"content-length")
        if length is not None and int(length) > self._limit and self._method != "HEAD":
            raise BodyTooLarge(f"{int(length):,} bytes announced, {self._limit:,} allowed")
        if self._method == "HEAD" or status in _NO_BODY:
            self._done = True

    def on_body(self, data: bytes) -> None:
        """A part of the body was parsed."""
        self._size += len(data)
        if self._size > self._limit:
            raise BodyTooLarge(f"more than {self._limit:,} bytes")
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The whole message was parsed."""
        self._done = self._headers_done


def _field(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    for key, value in headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return None


def _decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    if encoding.lower() not in (b"gzip", b"deflate"):
        return body
    # 32 + MAX_WBITS lets zlib find out by itself whether there is a gzip or a zlib header.
    inflate = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(body, limit)
    except zlib.error as error:
        raise MalformedResponse(f"the body is not {encoding.decode('latin-1')}: {error}") from error
    if inflate.unconsumed_tail:
        raise BodyTooLarge(f"more than {limit:,} bytes when decompressed")
    return plain
