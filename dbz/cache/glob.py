"""Redis glob patterns, matched in Python with exactly the meaning that SCAN MATCH gives them.

`*` any run of characters, `?` one, `[abc]` `[a-z]` `[^a]` a class, `\\x` the character x itself. This differs from
`fnmatch`, where `!` negates and nothing escapes; with one grammar both layers always clear the same keys.
Source of the rules: the KEYS command's documentation of Redis and Valkey.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SPECIAL = frozenset("*?[\\")


def is_literal(pattern: str) -> bool:
    """True when `pattern` can only match itself."""
    return _SPECIAL.isdisjoint(pattern)


def escape(text: str) -> str:
    """A pattern that matches `text` and nothing else."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)


class Glob:
    """A compiled pattern. Like Redis it sees a key as bytes: `?` is one byte of UTF-8, not one letter."""

    def __init__(self, source: bytes) -> None:
        self._fullmatch = re.compile(source, re.DOTALL).fullmatch

    def fullmatch(self, key: str) -> bool:
        """Whether the whole key matches."""
        return self._fullmatch(key.encode(errors="surrogateescape")) is not None


@lru_cache(maxsize=512)
def compile_glob(pattern: str) -> Glob:
    """What means the same as the glob `pattern`."""
    data = pattern.encode(errors="surrogateescape")
    out: list[bytes] = []
    at = 0
    while at < len(data):
        char = data[at : at + 1]
        if char == b"[":
            source, at = _character_class(data, at + 1)
            out.append(source)
            continue
        if char == b"\\" and at + 1 < len(data):
            at += 1
            out.append(re.escape(data[at : at + 1]))
        elif char == b"*":
            # Possessive runs of stars add nothing but backtracking time.
            if not out or out[-1] != b".*":
                out.append(b".*")
        else:
            out.append(b"." if char == b"?" else re.escape(char))
        at += 1
    return Glob(b"".join(out))


def _character_class(data: bytes, at: int) -> tuple[bytes, int]:
    """The class that starts after `[` at index `at`, as a regular expression, and the index after it.

    A class that is never closed reaches to the end of the pattern, as it does in Redis.
    """
    negated = data[at : at + 1] == b"^"
    at += negated
    members: list[bytes] = []
    while at < len(data) and data[at : at + 1] != b"]":
        char = data[at : at + 1]
        if char == b"\\" and at + 1 < len(data):
            members.append(re.escape(data[at + 1 : at + 2]))
            at += 2
        elif at + 2 < len(data) and data[at + 1 : at + 2] == b"-":
            members.append(_range(data[at], data[at + 2]))
            at += 3
        else:
            members.append(re.escape(char))
            at += 1
    if not members:
        return (b"." if negated else b"(?!)"), at + 1
    return b"[" + (b"^" if negated else b"") + b"".join(members) + b"]", at + 1


def _range(one: int, other: int) -> bytes:
    """The bytes from one to the other, in either order. To Redis 0x80 to 0xFF come first (signed char)."""
    low, high = sorted((one, other), key=lambda byte: byte - 256 if byte > 127 else byte)
    if low <= high:
        return re.escape(bytes([low])) + b"-" + re.escape(bytes([high]))
    return re.escape(bytes([low])) + b"-\xff\x00-" + re.escape(bytes([high]))
