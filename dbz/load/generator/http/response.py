"""An HTTP response as a scenario sees it: the names of requests and Locust, and the judgement that is recorded."""

from __future__ import annotations

import codecs
import json as standard_json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any

import orjson
from requests.exceptions import HTTPError, JSONDecodeError
from requests.utils import parse_header_links

from dbz.load.generator.http.answer.head import NO_HEAD, Head
from dbz.load.generator.http.answer.streaming import BodyStream

MAX_BODY_BYTES = 64_000_000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# By name, because importing locust patches the standard library, which is for the generator's first line to do.
_OBJECTIONS = frozenset(
    {
        "locust.exception.ResponseError",
        f"{__name__}.HttpStatusError",
        "dbz.load.generator.data.checks.CheckFailedError",
    }
)
_CONTROL_FLOW = frozenset(
    {f"locust.exception.{name}" for name in ("InterruptTaskSet", "RescheduleTask", "RescheduleTaskImmediately")}
    | {"locust.exception.StopUser", "locust.exception.StopTest", "greenlet.GreenletExit"}
)


class HttpStatusError(HTTPError):
    """What `raise_for_status` raises; in a `with` block it makes the response a failure and goes no further."""


class Headers(Mapping[str, str]):
    """Header fields by name in any case; repeated ones are joined with a comma. Names are given as they were sent."""

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for key, value in fields:
            name, text = key.decode("latin-1"), value.decode("latin-1")
            known = self._values.get(name.lower())
            self._values[name.lower()] = (known[0], f"{known[1]}, {text}") if known else (name, text)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return {name: self[name] for name in self._values} == {str(key).lower(): other[key] for key in other}

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self))


class SetCookies(dict[str, str]):
    """The cookies that one response sets, by name."""

    def get_dict(self) -> dict[str, str]:
        """A plain dictionary, as requests' jar gives it."""
        return dict(self)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The request that a response answers: after redirects, the last one."""

    method: str
    url: str
    headers: Headers
    """As they were sent."""
    body: bytes
    """As it was sent; empty for none."""

    @property
    def path_url(self) -> str:
        """Path and query."""
        return "/" + self.url.partition("#")[0].split("://", 1)[-1].partition("/")[2]


class Response:
    """What came back, or why nothing did. In a `with` block (see `catch_response`) `success` and `failure` overrule
    the judgement by status.
    """

    # Defaults of the class, not of __init__: a response that is only counted pays for nothing it does not use.
    status_code = 0
    error = ""
    """Why it is a failure; empty while nobody objected."""
    judged = False
    """Whether the scenario itself said that it is good."""
    elapsed_s = 0.0
    """Seconds from sending to the last byte of the last redirect; with `stream` to the end of its head."""
    connections = 0
    """How many connections were opened for it."""
    connect_s = tls_s = 0.0
    """How much of `elapsed_s` went into opening them, and into their TLS handshakes."""
    first_byte_s = 0.0
    """When the first byte of the last answer came, on the monotonic clock; 0 before."""
    body_s = 0.0
    """How much of `elapsed_s` passed between that byte and the last one."""
    received_bytes = 0
    """The size of the body as it was sent, still encoded; with `stream` what was announced."""
    context: Mapping[str, Any] = {}
    """What the scenario gave for listeners of Locust's request event."""
    head = NO_HEAD
    root = ""
    """The URL of the server with the base URL's path."""
    sent = b""
    """The bytes of the request that was sent last."""
    judge: Callable[[Response], str] | None = None
    """Says what is wrong with an answer whose status is good; nobody is asked after `success` or `failure`."""
    stream: BodyStream | None = None
    """Gives the part of the body that was not read yet."""
    history: tuple[Response, ...] = ()
    """The answers that led here by redirects."""
    encoding: str | None = None
    """The charset for `text`; None for that of the Content-Type, or else UTF-8."""
    body = b""
    """What was read of the body, decompressed; a scenario wants `content`."""
    _url = ""
    _headers: Headers | None = None

    def __init__(self, method: str, path: str, operation: str, record: Callable[[Response, str, float], None]) -> None:
        self.method = method
        self.path = path
        self.operation = operation
        self._record: Callable[[Response, str, float], None] | None = record

    @property
    def url(self) -> str:
        """The absolute URL of what was asked for last, after redirects."""
        return self._url or self.root + self.path

    def begin(self, method: str, url: str) -> None:
        """Another request is sent for this response: the first, or the next after a redirect."""
        self.method, self._url = method, url
        self.status_code, self.body, self.head, self.stream, self._headers = 0, b"", NO_HEAD, None, None
        self.first_byte_s = 0.0

    def take(self, head: Head, body: bytes) -> None:
        """This is what was answered."""
        self.head, self.status_code, self.body, self._headers = head, head.status, body, None

    def as_it_is(self) -> Response:
        """A copy that later redirects do not change."""
        copy = Response(self.method, self.path, self.operation, lambda *_: None)
        copy.take(self.head, self.content)
        copy._url, copy.sent, copy.history = self.url, self.sent, self.history
        return copy

    @property
    def ok(self) -> bool:
        """Whether there was a complete answer with a status below 400 and nobody objected to it."""
        return not self.error and 0 < self.status_code < 400

    def __bool__(self) -> bool:
        return self.ok

    @property
    def content(self) -> bytes:
        """The body, decompressed. With `stream` it is read now, which raises a `TransportError` when it breaks off."""
        if self.stream is not None:
            stream, self.stream = self.stream, None
            self.body += b"".join(stream)
        return self.body

    @property
    def size(self) -> int:
        """Bytes of the body; of one that was not read yet what the server announced, so that nobody waits for it."""
        return len(self.body) if self.stream is None else max(self.head.length, 0)

    @property
    def headers(self) -> Headers:
        """Header fields by name, whatever its case."""
        if self._headers is None:
            self._headers = Headers(self.head.fields)
        return self._headers

    @property
    def text(self) -> str:
        """The body as text, in `encoding`, the charset of its Content-Type, or else in UTF-8."""
        if self.encoding:
            return decoded(self.content, f"charset={self.encoding}")
        return decoded(self.content, self.headers.get("content-type", ""))

    @property
    def apparent_encoding(self) -> str:
        """The charset that `text` is read in."""
        return self.encoding or charset_of(self.headers.get("content-type", "")) or "utf-8"

    @property
    def cookies(self) -> SetCookies:
        """The cookies that this response sets, by name."""
        texts = (value.decode("latin-1") for name, value in self.head.fields if name.lower() == b"set-cookie")
        pairs = (text.partition(";")[0].partition("=") for text in texts)
        return SetCookies((name.strip(), value.strip()) for name, _, value in pairs)

    @property
    def elapsed(self) -> timedelta:
        """`elapsed_s` as the standard library's type."""
        return timedelta(seconds=self.elapsed_s)

    @property
    def reason(self) -> str:
        """The phrase that the server sent with its status, or the standard one."""
        standard = HTTPStatus(self.status_code).phrase if self.status_code in HTTPStatus._value2member_map_ else ""
        return self.head.reason.decode("utf-8", "replace") or standard

    @property
    def request(self) -> SentRequest:
        """The request that was answered."""
        head, _, body = self.sent.partition(b"\r\n\r\n")
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        return SentRequest(self.method, self.url, Headers([(name, value.strip()) for name, _, value in lines]), body)

    @property
    def is_redirect(self) -> bool:
        """Whether it leads elsewhere."""
        return self.status_code in REDIRECTS and "location" in self.headers

    @property
    def is_permanent_redirect(self) -> bool:
        """Whether it leads elsewhere for good."""
        return self.is_redirect and self.status_code in (301, 308)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The Link field, by relation or URL."""
        links = parse_header_links(self.headers.get("link", ""))
        return {link.get("rel") or link["url"]: link for link in links if "url" in link}

    def json(self, **options: Any) -> Any:
        """The body as JSON, with or without a byte-order mark; requests' `JSONDecodeError`, a ValueError, if it is not.

        `options` are those of the standard library's `json.loads`.
        """
        content = self.content.removeprefix(codecs.BOM_UTF8)
        if not options:
            try:
                return orjson.loads(content)
            except ValueError:
                pass  # NaN, another Unicode, or no JSON: the standard library knows
        try:
            return standard_json.loads(content, **options)
        except standard_json.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos) from error
        except UnicodeDecodeError as error:
            raise JSONDecodeError(f"not Unicode: {error.reason}", "", error.start) from error

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """The body in pieces of at most `chunk_size` bytes, with `stream` as they arrive; as text if so asked."""
        pieces = _split(self._pieces(), chunk_size)
        return codecs.iterdecode(pieces, self.apparent_encoding, "replace") if decode_unicode else pieces

    def iter_lines(
        self, chunk_size: int = 512, decode_unicode: bool = False, delimiter: str | bytes | None = None
    ) -> Iterator[Any]:
        """The body line by line, without line ends; with `stream` as they arrive, for events of a server."""
        pending: Any = None
        for piece in self.iter_content(chunk_size, decode_unicode):
            whole = piece if pending is None else pending + piece
            lines = whole.split(delimiter) if delimiter else whole.splitlines()
            # A piece may end within a line; `split` leaves an empty text when it did not.
            cut = bool(delimiter) or (lines and whole[-1:] not in ("\n", b"\n", "\r", b"\r"))
            pending = lines.pop() if cut and lines else None
            yield from lines
        if pending:
            yield pending

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_content(128)

    def close(self) -> None:
        """Leave the rest of a streamed body unread."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()

    @property
    def is_open(self) -> bool:
        """Whether it is still to be counted, so that `success` and `failure` decide."""
        return self._record is not None

    def raise_for_status(self) -> None:
        """Raise `HttpStatusError` unless the response is `ok`."""
        if not self.ok:
            raise HttpStatusError(self.error or f"HTTP {self.status_code}", response=self)

    def success(self) -> None:
        """Count this response as a success whatever its status."""
        self.error, self.judged = "", True
        self._finish("")

    def failure(self, why: object) -> None:
        """Count this response as a failure."""
        self.error = str(why)
        self._finish(self.error)

    def finish(self) -> None:
        """Count this response by its status and error; only the first call counts."""
        if not self.error and self.status_code >= 400:
            self.error = f"HTTP {self.status_code}"
        elif not self.error and self.judge is not None and self._record is not None:
            self.error = self.judge(self)
        record, self._record = self._record, None
        if record is not None:
            record(self, self.operation, self.elapsed_s)

    def counted(self) -> None:
        """Somebody else has counted it."""
        self._record = None

    def _finish(self, error: str) -> None:
        record, self._record = self._record, None
        if record is not None:
            self.error = error
            record(self, self.operation, self.elapsed_s)

    def _pieces(self) -> Iterable[bytes]:
        if self.stream is None:
            return [self.body] if self.body else []
        stream, self.stream = self.stream, None
        return stream

    def __enter__(self) -> Response:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if self.stream is not None:
            self.close()
        if error is None:
            self.finish()
            return False
        kinds = {f"{base.__module__}.{base.__name__}" for base in type(error).__mro__}
        objection = bool(kinds & _OBJECTIONS)
        if not self.error and not kinds & _CONTROL_FLOW:
            self.error = str(error) if objection else f"{type(error).__name__}: {error}"
        self.finish()
        return objection


def charset_of(content_type: str) -> str:
    """The charset that a Content-Type names; empty for none."""
    return content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")


def decoded(content: bytes, content_type: str) -> str:
    """A body as text; what is not text in its charset becomes U+FFFD."""
    try:
        return content.decode(charset_of(content_type) or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _split(pieces: Iterable[bytes], size: int | None) -> Iterator[bytes]:
    for piece in pieces:
        if size is None or len(piece) <= size:
            yield piece
        else:
            yield from (piece[at : at + size] for at in range(0, len(piece), size))
