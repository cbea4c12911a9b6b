"""The mapping that the app uses without dbz: a 32-bit string hash modulo the number of shards.

It is the hash of Java's `String.hashCode`, h = 31 h + c over UTF-16 code units, wrapped to a signed 32-bit integer,
of which the app then takes the absolute value. JavaScript does that in floating point, so -2^31 becomes 2^31.
"""

from __future__ import annotations

from array import array
from sys import byteorder

_MASK = 0xFFFFFFFF
_SIGN = 0x80000000
_UTF_16 = "utf-16-le" if byteorder == "little" else "utf-16-be"


def legacy_hash(club_id: str) -> int:
    """The app's hash of a club id: 0 to 2^31, both included. Lone surrogates count as the code units they are."""
    value = 0
    units = club_id.encode() if club_id.isascii() else array("H", club_id.encode(_UTF_16, "surrogatepass"))
    for unit in units:
        value = value * 31 + unit & _MASK
    return value if value < _SIGN else (1 << 32) - value
