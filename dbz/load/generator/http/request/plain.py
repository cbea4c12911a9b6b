"""Requests that ask for nothing special, and what was answered to them last: users repeat themselves, and each other.

Of an answer that is the same, byte by byte, as the last one to the same request everything is known already: what its
head means, its decoded body, and whether it says anything against itself.
"""

from __future__ import annotations

from functools import lru_cache

from dbz.load.generator.http.answer.head import NO_HEAD, Head
from dbz.load.generator.http.request.fields import one_line
from dbz.load.generator.http.request.graphql import operations_of
from dbz.load.generator.http.request.outgoing import ANNOUNCED, IDEMPOTENT, head_bytes
from dbz.load.generator.http.request.urls import is_plain
from dbz.load.generator.net.faults import BadRequest

_METHODS = IDEMPOTENT - ANNOUNCED - {"HEAD"}
"""Those whose requests have no body, may be repeated, and whose answers say how they end."""
_MOST_REQUESTS = 2048
_LARGEST_ANSWER_BYTES = 8192
"""So that the answers that are kept take 16 MB at most."""


class PlainRequest:
    """One request without a body of its own, as its bytes; one for all users of a process who send the same."""

    __slots__ = ("answer", "body", "head", "kind", "length", "message", "method", "operation", "path")

    def __init__(self, method: str, path: str, operation: str, message: bytes) -> None:
        self.method = method
        self.path = path
        self.operation = operation
        self.message = message
        """Its bytes."""
        self.answer = b""
        """All bytes of the last answer; empty when that was none that is simply counted."""
        self.head: Head = NO_HEAD
        self.body = b""
        """Its body, decompressed."""
        self.length = 0
        """The size of the body as it was sent, still encoded."""
        self.kind: tuple[str, str] | None = None
        """Its kind of content, and what it says against itself; None until somebody has looked."""

    def learn(self, answer: bytes, head: Head, body: bytes) -> None:
        """Know the answer again whose first bytes are `answer`, if these are all of it and it is a plain one.

        What users wait for meanwhile may be an earlier one, or another object of the same bytes.
        """
        if head.plain and len(answer) <= _LARGEST_ANSWER_BYTES:
            end = answer.find(b"\r\n\r\n") + 4
            if end > 3 and end + head.length == len(answer):
                self.answer, self.head, self.body, self.length, self.kind = answer, head, body, head.length, None

    def forget(self) -> None:
        """Know no answer."""
        self.answer = b""


@lru_cache(_MOST_REQUESTS)
def plain_request(
    method: str,
    path: str,
    name: str | None,
    before: str,
    version: str,
    fields: str,
    cookie: str,
    detects_graphql: bool,
) -> PlainRequest | None:
    """The request for a path below a base URL; None when it takes more than these bytes.

    `name` is that of its operation, if it has one of its own. `before` and `version` stand around the path on the
    request line, and `fields` are its header fields, each with its line end; `cookie` is the jar's Cookie field, which
    one that was set by hand overrules.
    """
    if method not in _METHODS or not is_plain(path):
        return None
    if detects_graphql and "?" in path and operations_of(path, {}, {}):
        return None
    if cookie and not ("\n" + fields).lower().count("\ncookie:"):
        fields = f"{fields}{one_line(f'Cookie: {cookie}')}\r\n"
    try:
        message = head_bytes(f"{method} {before}{path}{version}{fields}\r\n")
    except BadRequest:
        return None
    return PlainRequest(method, path, f"{method} {name or path.partition('?')[0]}", message)
