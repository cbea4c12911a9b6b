"""An HTTP response as a scenario sees it: Locust's names, and the judgement that is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any

import orjson

from dbz.load.generator.http.reader import Head

MAX_BODY_BYTES = 64_000_000
_NO_HEAD = Head(0, [], False)
# By name, because importing locust patches the standard library, which is for the generator's first line to do.
_OBJECTIONS = frozenset({"locust.exception.ResponseError", f"{__name__}.HttpStatusError"})
_CONTROL_FLOW = frozenset(
    {f"locust.exception.{name}" for name in ("InterruptTaskSet", "RescheduleTask", "RescheduleTaskImmediately")}
    | {"locust.exception.StopUser", "locust.exception.StopTest", "greenlet.GreenletExit"}
)


class HttpStatusError(Exception):
    """What `raise_for_status` raises; in a `with` block it makes the response a failure and goes no further."""


class Headers(Mapping[str, str]):
    """Header fields by name in any case; repeated ones are joined with a comma."""

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for key, value in fields:
            name, text = key.decode("latin-1").lower(), value.decode("latin-1")
            self._values[name] = f"{self._values[name]}, {text}" if name in self._values else text

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The request that a response answers: after redirects, the last one."""

    method: str
    url: str


class Response:
    """What came back, or why nothing did. `elapsed_s` runs from sending to the last byte of the last redirect.

    `content` is the body, decompressed; `error` is empty while nobody objected. In a `with` block (see
    `catch_response`) `success` and `failure` overrule the judgement by status.
    """

    # Defaults of the class, not of __init__: a response that is only counted pays for nothing it does not use.
    status_code = 0
    error = ""
    elapsed_s = 0.0
    content = b""
    head = _NO_HEAD
    root = ""
    _url = ""
    history: tuple[Response, ...] = ()
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
        self.status_code, self.content, self.head, self._headers = 0, b"", _NO_HEAD, None

    def as_it_is(self) -> Response:
        """A copy that later redirects do not change."""
        copy = Response(self.method, self.path, self.operation, lambda *_: None)
        copy.status_code, copy.content, copy.head = self.status_code, self.content, self.head
        copy._url = self.url
        return copy

    @property
    def ok(self) -> bool:
        """Whether there was a complete answer with a status below 400 and nobody objected to it."""
        return not self.error and 0 < self.status_code < 400

    @property
    def headers(self) -> Headers:
        """Header fields by name, whatever its case."""
        if self._headers is None:
            self._headers = Headers(self.head.fields)
        return self._headers

    @property
    def text(self) -> str:
        """The body as text, in the charset of its Content-Type or else in UTF-8."""
        return decoded(self.content, self.headers.get("content-type", ""))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this response sets, by name."""
        pairs = (value.split(b";", 1)[0] for name, value in self.head.fields if name.lower() == b"set-cookie")
        return {
            name.strip(): value.strip() for name, _, value in (pair.decode("latin-1").partition("=") for pair in pairs)
        }

    @property
    def elapsed(self) -> timedelta:
        """`elapsed_s` as the standard library's type."""
        return timedelta(seconds=self.elapsed_s)

    @property
    def reason(self) -> str:
        """The standard phrase of the status."""
        return HTTPStatus(self.status_code).phrase if self.status_code in HTTPStatus._value2member_map_ else ""

    @property
    def request(self) -> SentRequest:
        """Method and URL of the request that was answered."""
        return SentRequest(self.method, self.url)

    def json(self) -> Any:
        """The body as JSON; `ValueError` when it is not."""
        return orjson.loads(self.content)

    def raise_for_status(self) -> None:
        """Raise `HttpStatusError` unless the response is `ok`."""
        if not self.ok:
            raise HttpStatusError(self.error or f"HTTP {self.status_code}")

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
        record, self._record = self._record, None
        if record is not None:
            record(self, self.operation, self.elapsed_s)

    def _finish(self, error: str) -> None:
        record, self._record = self._record, None
        if record is not None:
            self.error = error
            record(self, self.operation, self.elapsed_s)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if error is None:
            self.finish()
            return False
        kinds = {f"{base.__module__}.{base.__name__}" for base in type(error).__mro__}
        objection = bool(kinds & _OBJECTIONS)
        if not self.error and not kinds & _CONTROL_FLOW:
            self.error = str(error) if objection else f"{type(error).__name__}: {error}"
        self.finish()
        return objection


def decoded(content: bytes, content_type: str) -> str:
    """A body as text; what is not text in its charset becomes U+FFFD."""
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    try:
        return content.decode(charset or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
