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


@lru_cache(maxsize=512)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """The regular expression (to be used with `fullmatch`) that means the same as the glob `pattern`."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            source, at = _character_class(pattern, at + 1)
            out.append(source)
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif char == "*":
            # Possessive runs of stars add nothing but backtracking time.
            if not out or out[-1] != ".*":
                out.append(".*")
        else:
            out.append("." if char == "?" else re.escape(char))
        at += 1
    return re.compile("".join(out), re.DOTALL)


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """The class that starts after `[` at index `at`, as a regular expression, and the index after it.

    A class that is never closed reaches to the end of the pattern, as it does in Redis.
    """
    negated = pattern[at : at + 1] == "^"
    at += negated
    members: list[str] = []
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "\\" and at + 1 < len(pattern):
            members.append(re.escape(pattern[at + 1]))
            at += 2
        elif at + 2 < len(pattern) and pattern[at + 1] == "-":
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            members.append(re.escape(pattern[at]))
            at += 1
    if not members:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1
