"""Latency histograms that merge without loss: the HdrHistogram layout with three significant digits.

Values are whole microseconds. Layout and the compressed "V2" text form follow the HdrHistogram specification
(Gil Tene, http://hdrhistogram.org), so that any HdrHistogram tool reads what we write. Counts live in a sparse
dictionary: an interval of one second holds a few dozen distinct values, and recording costs one dictionary update.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Iterator

SIGNIFICANT_DIGITS = 3
HIGHEST_US = 3_600_000_000
SUB_BITS = 11  # 2,048 sub-buckets resolve three significant digits
SUB_MASK = (1 << SUB_BITS) - 1
HALF_BITS = SUB_BITS - 1
_V2_COOKIE = 0x1C849303 | 0x10
_V2_COMPRESSED_COOKIE = 0x1C849304 | 0x10
_HEADER = struct.Struct(">iiiiqqd")


def index_of(value_us: int) -> int:
    """The position of a value in the counts array."""
    bucket = (value_us | SUB_MASK).bit_length() - SUB_BITS
    return (bucket << HALF_BITS) + (value_us >> bucket)


def bounds_of(index: int) -> tuple[int, int]:
    """The lowest and the highest value, in microseconds, that share a position."""
    bucket = max((index >> HALF_BITS) - 1, 0)
    low = (index - (bucket << HALF_BITS)) << bucket
    return low, low + (1 << bucket) - 1


class Histogram:
    """Counts of values in microseconds, exact to three significant digits."""

    __slots__ = ("counts",)

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = counts if counts is not None else {}

    def record(self, value_us: int, count: int = 1) -> None:
        """Add a value; those out of range are clamped to [0, `HIGHEST_US`]."""
        value_us = min(max(value_us, 0), HIGHEST_US)
        bucket = (value_us | SUB_MASK).bit_length() - SUB_BITS
        index = (bucket << HALF_BITS) + (value_us >> bucket)
        self.counts[index] = self.counts.get(index, 0) + count

    def add(self, other: Histogram) -> None:
        """Merge another histogram into this one without loss."""
        counts = self.counts
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __len__(self) -> int:
        return sum(self.counts.values())

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """(lowest, highest, count) of each position that holds values, in ascending order, in microseconds."""
        for index in sorted(self.counts):
            low, high = bounds_of(index)
            yield low, high, self.counts[index]

    @property
    def max_us(self) -> int:
        """The highest value that the largest recorded one may have had; 0 when empty."""
        return bounds_of(max(self.counts))[1] if self.counts else 0

    @property
    def min_us(self) -> int:
        """The lowest value that the smallest recorded one may have had; 0 when empty."""
        return bounds_of(min(self.counts))[0] if self.counts else 0

    def total_us(self) -> float:
        """The sum of all values, each taken at the middle of its position."""
        return sum(sum(bounds_of(index)) * count for index, count in self.counts.items()) / 2

    def mean_us(self) -> float:
        """The arithmetic mean; 0 when empty."""
        return self.total_us() / len(self) if self.counts else 0.0

    def value_at_rank(self, rank: int) -> int:
        """The value, in microseconds, of the rank-th smallest sample (1 is the smallest)."""
        return self.bounds_at_rank(rank)[1]

    def bounds_at_rank(self, rank: int) -> tuple[int, int]:
        """The lowest and the highest value, in microseconds, that the rank-th smallest sample may have had."""
        seen = last = 0
        for last in sorted(self.counts):
            seen += self.counts[last]
            if seen >= rank:
                break
        return bounds_of(last)

    def percentile_us(self, percent: float) -> int:
        """The smallest recorded value such that at least `percent` % of all values are not above it."""
        return self.value_at_rank(rank_of(percent, len(self)))

    def encode(self) -> str:
        """The compressed V2 form, in base64, as the interval-log format wants it."""
        payload = bytes(_encode_counts(self.counts))
        header = _HEADER.pack(_V2_COOKIE, len(payload), 0, SIGNIFICANT_DIGITS, 1, HIGHEST_US, 1.0)
        packed = zlib.compress(header + payload, 1)
        return base64.b64encode(struct.pack(">ii", _V2_COMPRESSED_COOKIE, len(packed)) + packed).decode()

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """Read what `encode` wrote; `ValueError` for anything else, or for another precision."""
        try:
            raw = base64.b64decode(text, validate=True)
            cookie, length = struct.unpack_from(">ii", raw)
            plain = zlib.decompress(raw[8 : 8 + length])
            inner, size, _, digits, *_ = _HEADER.unpack_from(plain)
            if (cookie, inner, digits) != (_V2_COMPRESSED_COOKIE, _V2_COOKIE, SIGNIFICANT_DIGITS):
                raise ValueError("it is not V2 with three significant digits")
            return cls(dict(_decode_counts(plain[_HEADER.size : _HEADER.size + size])))
        except (ValueError, IndexError, struct.error, zlib.error) as error:
            raise ValueError(f"not a compressed histogram: {error}") from error


def rank_of(percent: float, count: int) -> int:
    """The rank (from 1) of the sample at a percentile: the nearest-rank definition."""
    # 99.9 % of 1,000 must be rank 999; the floating product is a hair above it.
    return max(1, math.ceil(round(percent / 100 * count, 9)))


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram with the counts of all."""
    whole = Histogram()
    for histogram in histograms:
        whole.add(histogram)
    return whole


def _encode_counts(counts: dict[int, int]) -> Iterator[int]:
    """Zig-zag LEB128 over the counts array up to its last entry; a run of zeros is one negative number."""
    position = 0
    for index in sorted(counts):
        if index > position:
            yield from _leb128(_zigzag(position - index))
        yield from _leb128(_zigzag(counts[index]))
        position = index + 1


def _zigzag(number: int) -> int:
    return (number << 1) ^ (number >> 63)


def _leb128(number: int) -> Iterator[int]:
    for _ in range(8):
        if number < 0x80:
            yield number
            return
        yield (number & 0x7F) | 0x80
        number >>= 7
    yield number & 0xFF  # the ninth byte carries eight bits


def _decode_counts(payload: bytes) -> Iterator[tuple[int, int]]:
    position = offset = 0
    while offset < len(payload):
        number = shift = 0
        while True:
            byte = payload[offset]
            offset += 1
            if shift == 56:
                number |= byte << shift
                break
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        value = (number >> 1) ^ -(number & 1)
        if value > 0:
            yield position, value
            position += 1
        else:
            position += -value if value else 1
