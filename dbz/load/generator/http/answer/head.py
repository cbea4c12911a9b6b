"""The head of an HTTP response: its status line and header fields, and how its body ends.

What is accepted is what browsers, Python's `http.client` and h11 agree to accept (bare line feeds, folded lines, one
length said twice); what would let two readers see two different answers is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dbz.load.generator.net.faults import MalformedResponse

_STATUS_LINE = re.compile(rb"HTTP/1\.(\d) ([1-9]\d\d)(?: ([^\r\n]*))?\r?\n")
_FIELD = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)\n", re.MULTILINE)
_FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")
_WITHOUT_BODY = frozenset({101, 204, 304})
MAX_LENGTH_DIGITS = 18


class Head:
    """Status and header fields of a response."""

    __slots__ = (
        *(
            "chunked",
            "content_type",
            "encoding",
            "fields",
            "keep",
            "length",
            "may_stay_open",
            "plain",
            "reason",
            "service",
        ),
        *("sets_cookies", "status"),
    )

    def __init__(
        self, status: int, fields: list[tuple[bytes, bytes]], *, reason: bytes = b"", version: int = 1
    ) -> None:
        self.status = status
        self.fields = fields
        """Names and values as they were sent, without the white space around values; folded lines are joined."""
        self.reason = reason
        self.length = -1
        """The announced size of the body in bytes, or -1."""
        self.chunked = self.sets_cookies = False
        self.content_type = ""
        """The media type with its parameters, as it was sent."""
        self.encoding = b""
        """The codings of the body, the one that was applied last at the end."""
        self.service = "", ""
        """A header field that was looked at for the service that answered, and the service by it."""
        self.may_stay_open = version >= 1
        """Whether the server does not close the connection by itself."""
        for name, value in fields:
            note = _NOTES.get(name.lower())
            if note is not None:
                note(self, value)
        if self.chunked:  # RFC 9112, section 6.3: it overrules a length
            self.length = -1
        self.keep = self.may_stay_open and (self.chunked or self.length >= 0)
        """Whether the connection can be used again after the body: one that ends with the connection leaves none."""
        self.plain = 200 <= status < 300 and self.keep and self.length >= 0
        self.plain = self.plain and not (self.sets_cookies or self.without_body)
        """Whether nothing is to be done about it but to count off its body."""

    @property
    def without_body(self) -> bool:
        """Whether no body follows, whatever the fields say (RFC 9112, section 6.3)."""
        return self.status in _WITHOUT_BODY

    def _note_encoding(self, value: bytes) -> None:
        self.encoding = self.encoding + b"," + value if self.encoding else value

    def _note_content_type(self, value: bytes) -> None:
        self.content_type = value.decode("latin-1")

    def _note_cookie(self, _value: bytes) -> None:
        self.sets_cookies = True

    def _note_connection(self, value: bytes) -> None:
        words = value.lower()
        if b"close" in words:
            self.may_stay_open = False
        elif b"keep-alive" in words:
            self.may_stay_open = True

    def _note_length(self, value: bytes) -> None:
        """One length may be said several times (RFC 9110, section 8.6); two different ones are an attack or a fault."""
        for text in value.split(b","):
            digits = text.strip()
            if not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS:
                raise MalformedResponse(f"a Content-Length of {value[:40].decode('latin-1')!r}")
            if self.length not in (-1, int(digits)):
                raise MalformedResponse("two Content-Lengths that differ")
            self.length = int(digits)

    def _note_transfer(self, value: bytes) -> None:
        codings = [coding.strip().lower() for coding in value.split(b",")]
        if codings[-1] == b"chunked":
            self.chunked = True
            codings.pop()
        others = b",".join(coding for coding in codings if coding not in (b"", b"identity"))
        if others:  # applied after the content codings, so undone before them
            self.encoding = self.encoding + b"," + others if self.encoding else others


_NOTES: dict[bytes, Callable[[Head, bytes], None]] = {
    b"content-length": Head._note_length,
    b"transfer-encoding": Head._note_transfer,
    b"content-encoding": Head._note_encoding,
    b"content-type": Head._note_content_type,
    b"set-cookie": Head._note_cookie,
    b"connection": Head._note_connection,
}
"""What the fields mean that say how an answer is read; most fields of most answers say nothing of it."""
NO_HEAD = Head(0, [])


def is_meaningful(name: bytes) -> bool:
    """Whether a field of this name says something of how an answer is read."""
    return name.lower() in _NOTES


def parse_head(raw: bytes) -> Head:
    """The head in its bytes up to and with the empty line; `MalformedResponse` when it is none."""
    status_line = _STATUS_LINE.match(raw)
    if status_line is None:
        line = raw.split(b"\n", 1)[0][:60].decode("latin-1").strip()
        raise MalformedResponse(f"a status line was expected, not {line!r}")
    if b"\n " in raw or b"\n\t" in raw:
        raw = _FOLD.sub(b" ", raw)
    fields = [(name, value.strip()) for name, value in _FIELD.findall(raw)]
    # Every line but the first and the last must have been a field: what else is there would be passed over unseen.
    if raw.count(b"\n") != len(fields) + 2 or b"\0" in raw:
        raise MalformedResponse("a header line that is none")
    return Head(int(status_line[2]), fields, reason=status_line[3] or b"", version=int(status_line[1]))
