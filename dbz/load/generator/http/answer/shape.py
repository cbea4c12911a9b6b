"""Heads that mean the same as one that was parsed, told by one regular expression instead of parsing each.

Many servers put a number of its own into every answer: a request id, a count of what is left of a rate, an ETag. Such a
head is never the same byte by byte, and yet says nothing new of how its answer is read but the length of the body.
"""

from __future__ import annotations

import re

from dbz.load.generator.http.answer.head import MAX_LENGTH_DIGITS, Head, is_meaningful

_LENGTH = b"content-length"
_FOLDED = re.compile(rb"\n[ \t]")


class HeadShape:
    """All heads with the fields of one, in its order, whose meaningful fields are the same but for the length."""

    __slots__ = ("_fits", "head")

    def __init__(self, raw: bytes, head: Head) -> None:
        """`raw` are the bytes of `head`, a plain one, up to and with its empty line; `ValueError` for one that says its
        length twice or folds a line."""
        if _FOLDED.search(raw) or [name.lower() for name, _ in head.fields].count(_LENGTH) != 1:
            raise ValueError("a head that is no shape for others")
        self.head = head
        status_line, *fields, empty_line = raw.splitlines(keepends=True)
        self._fits = re.compile(b"".join([re.escape(status_line), *map(_pattern, fields), re.escape(empty_line)])).match

    def fit(self, data: bytes) -> tuple[int, int] | None:
        """Where the head that `data` begins with ends, and the length of its body; None when it is not one of these."""
        found = self._fits(data)
        return (found.end(), int(found[1])) if found else None


def _pattern(line: bytes) -> bytes:
    name, _, rest = line.partition(b":")
    end = rest[len(rest.rstrip(b"\r\n")) :]
    if name.lower() == _LENGTH:
        return rb"%b:[ \t]*(\d{1,%d})[ \t]*%b" % (re.escape(name), MAX_LENGTH_DIGITS, end)
    if is_meaningful(name):
        return re.escape(line)
    return rb"%b:[^\r\n\0]*%b" % (re.escape(name), end)
