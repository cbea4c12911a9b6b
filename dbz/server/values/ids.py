"""Identifiers that sort by the time at which they were made."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: order of characters is order of values
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_last = (0, 0)


def new_id() -> str:
    """A 26-character id: 48 bits of milliseconds, then 80 random bits; ids of one process rise strictly."""
    global _last
    now_ms = time.time_ns() // 1_000_000
    random_part = int.from_bytes(os.urandom(10))
    if now_ms <= _last[0]:
        now_ms, random_part = _last[0], _last[1] + 1 + (random_part & 0xFFFF)
    _last = (now_ms, random_part)
    number = (now_ms << 80) | (random_part & (1 << 80) - 1)
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -10, -10)])
