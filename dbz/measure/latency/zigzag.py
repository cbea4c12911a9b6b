"""Counts at ascending positions as the V2 form of HdrHistogram has them: zig-zag LEB128 over the array of counts.

A count is an even number, a run of zeros an odd one. Nearly all numbers have one byte, so both ways go through tables
by byte, in few passes over the whole; a number of several bytes is put right afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress
from operator import sub

_LONG = re.compile(rb"[\x80-\xff]{8}[\x00-\xff]|[\x80-\xff]{1,7}[\x00-\x7f]")
"""Numbers of several bytes; the ninth one carries eight bits."""
_STEPS = bytes(((byte + 1) >> 1 if byte & 1 else 1) if byte < 0x80 else 0 for byte in range(256))
"""How many positions a number of one byte takes."""
_HAS_COUNT = bytes(byte < 0x80 and not byte & 1 and byte > 0 for byte in range(256))
_COUNT = bytes(byte >> 1 if byte < 0x80 and not byte & 1 else 0 for byte in range(256))
_KEPT = 1 << 13
"""Encoded numbers below this are kept; those above are rare."""


class _Encoded(dict[int, bytes]):
    """Numbers as bytes, made when they are first asked for."""

    def __init__(self, factor: int, summand: int) -> None:
        super().__init__()
        self._factor, self._summand = factor, summand

    def __missing__(self, number: int) -> bytes:
        found = bytes(_leb128(number * self._factor + self._summand))
        if number < _KEPT:
            self[number] = found
        return found


_COUNTS = _Encoded(2, 0)
_GAPS = _Encoded(2, -3)
"""By the distance between two positions that hold counts; what lies between them is one less."""
_GAPS[1] = b""


def encoded_counts(positions: Sequence[int], counts: Sequence[int]) -> bytes:
    """The bytes up to the last count; positions ascend, and counts are at least 1 and below 2**62."""
    distances = map(sub, positions, chain((-1,), positions))
    pairs = zip(map(_GAPS.__getitem__, distances), map(_COUNTS.__getitem__, counts), strict=True)
    return b"".join(chain.from_iterable(pairs))


def decoded_counts(payload: bytes) -> tuple[Sequence[int], Sequence[int]]:
    """Positions and counts; `ValueError` when the last number is cut off."""
    steps: Sequence[int] = payload.translate(_STEPS)
    chosen, counts = payload.translate(_HAS_COUNT), payload.translate(_COUNT)
    if payload.isascii():
        return _chosen(steps, chosen, counts)
    all_steps, any_chosen, all_counts, end = list(steps), bytearray(chosen), list(counts), 0
    for found in _LONG.finditer(payload):
        at, end = found.span()
        # Nearly all of these have two bytes.
        number = payload[at] & 0x7F | payload[at + 1] << 7 if end - at == 2 else _number(found[0])
        # Its last byte was taken for a number of its own.
        all_steps[end - 1], any_chosen[end - 1] = 0, 0
        all_steps[at] = (number + 1) >> 1 if number & 1 else 1
        if not number & 1 and number:
            any_chosen[at], all_counts[at] = 1, number >> 1
    if payload[-1] >= 0x80 and end != len(payload):
        raise ValueError("its last number is cut off")
    return _chosen(all_steps, any_chosen, all_counts)


def _chosen(
    steps: Sequence[int], chosen: bytes | bytearray, counts: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    """The positions of the numbers that are counts, and these."""
    last_taken = accumulate(steps, initial=-1)
    next(last_taken)
    return list(compress(last_taken, chosen)), list(compress(counts, chosen))


def _number(encoded: bytes) -> int:
    number = 0
    for at, byte in enumerate(encoded):
        number |= (byte if at == 8 else byte & 0x7F) << (7 * at)
    return number


def _leb128(number: int) -> Iterator[int]:
    for _ in range(8):
        if number < 0x80:
            yield number
            return
        yield (number & 0x7F) | 0x80
        number >>= 7
    yield number & 0xFF  # the ninth byte carries eight bits
