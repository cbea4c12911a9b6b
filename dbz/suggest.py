"""The nearest known name to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

_CUTOFF = 0.4
_LONGEST = 200
"""Longer than any name; comparing takes time that grows with the square of the length."""


def nearest(name: str, known: Iterable[str], cutoff: float = _CUTOFF) -> str:
    """The known name that a misspelt one is most likely meant to be; empty when none comes near."""
    found = difflib.get_close_matches(name[:_LONGEST], list(known), 1, cutoff=cutoff)
    return found[0] if found else ""


def did_you_mean(name: str, known: Collection[str], cutoff: float = _CUTOFF) -> str:
    """`; did you mean 'x'?` for the end of a message; empty when nothing comes near."""
    near = nearest(name, known, cutoff)
    return f"; did you mean '{near}'?" if near else ""
