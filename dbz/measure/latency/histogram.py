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
from array import array
from collections.abc import Iterable, Iterator

SIGNIFICANT_DIGITS = 3
HIGHEST_US = 3_600_000_000
SUB_BITS = 11  # 2,048 sub-buckets resolve three significant digits
SUB_MASK = (1 << SUB_BITS) - 1
HALF_BITS = SUB_BITS - 1
_V2_COOKIE = 0x1C849303 | 0x10
_V2_COMPRESSED_COOKIE = 0x1C849304 | 0x10
_HEADER = struct.Struct(">iiiiqqd")
_PACKED_FROM = 64
"""A histogram that was read with more distinct values than this is kept packed: a tenth of a dictionary's memory."""


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

    __slots__ = ("_counts", "_packed")

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self._counts: dict[int, int] | None = counts if counts is not None else {}
        self._packed: tuple[array[int], array[int]] | None = None

    @property
    def counts(self) -> dict[int, int]:
        """How many values are at each position, to be read only."""
        if self._counts is not None:
            return self._counts
        assert self._packed is not None
        return dict(zip(*self._packed, strict=True))

    def _own(self) -> dict[int, int]:
        """The counts, to be changed."""
        if self._counts is None:
            self._counts, self._packed = self.counts, None
        return self._counts

    def pack(self) -> Histogram:
        """This, in less memory where it holds many distinct values."""
        if self._counts is not None and len(self._counts) > _PACKED_FROM:
            positions = sorted(self._counts)
            try:
                self._packed = array("H", positions), array("I", map(self._counts.__getitem__, positions))
            except OverflowError:  # of another tool, or of very many values
                return self
            self._counts = None
        return self

    def record(self, value_us: int, count: int = 1) -> None:
        """Add a value; those out of range are clamped to [0, `HIGHEST_US`]."""
        value_us = min(max(value_us, 0), HIGHEST_US)
        bucket = (value_us | SUB_MASK).bit_length() - SUB_BITS
        index = (bucket << HALF_BITS) + (value_us >> bucket)
        counts = self._own()
        counts[index] = counts.get(index, 0) + count

    def add(self, other: Histogram) -> None:
        """Merge another histogram into this one without loss."""
        counts = self._own()
        more = other._counts.items() if other._counts is not None else zip(*other._packed or (), strict=True)
        if not counts:
            counts.update(more)
            return
        known = counts.get
        for index, count in more:
            counts[index] = known(index, 0) + count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __len__(self) -> int:
        return sum(self._counts.values()) if self._counts is not None else sum((self._packed or ((), ()))[1])

    def up_to(self, value_us: float) -> int:
        """How many values are at positions whose lowest value is not above this."""
        last = index_of(min(math.floor(value_us), HIGHEST_US)) if value_us >= 0 else -1
        return sum(count for index, count in self.counts.items() if index <= last)

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
        payload = _encoded_counts(self.counts)
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
            return cls(_decoded_counts(plain[_HEADER.size : _HEADER.size + size])).pack()
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


def _encoded_counts(counts: dict[int, int]) -> bytes:
    """Zig-zag LEB128 over the counts array up to its last entry; a run of zeros is one negative number."""
    encoded = bytearray()
    position = 0
    for index in sorted(counts):
        gap, count = index - position, counts[index]
        if gap:
            # Of numbers in zig-zag the odd ones are negative.
            if gap <= 64:
                encoded.append(2 * gap - 1)
            else:
                encoded.extend(_leb128(2 * gap - 1))
        if count < 64:
            encoded.append(2 * count)
        else:
            encoded.extend(_leb128(2 * count))
        position = index + 1
    return bytes(encoded)


def _leb128(number: int) -> Iterator[int]:
    for _ in range(8):
        if number < 0x80:
            yield number
            return
        yield (number & 0x7F) | 0x80
        number >>= 7
    yield number & 0xFF  # the ninth byte carries eight bits


def _decoded_counts(payload: bytes) -> dict[int, int]:
    """The same backwards; `ValueError` when the last number is cut off."""
    counts: dict[int, int] = {}
    position = number = shift = 0
    for byte in payload:
        if byte < 0x80 and not shift:
            # Most numbers have one byte.
            if byte & 1:
                position += (byte + 1) >> 1
            else:
                if byte:
                    counts[position] = byte >> 1
                position += 1
            continue
        if shift < 56:
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte >= 0x80:
                continue
        else:
            number |= byte << shift
        if number & 1:
            position += (number + 1) >> 1
        else:
            if number:
                counts[position] = number >> 1
            position += 1
        number = shift = 0
    if shift:
        raise ValueError("its last number is cut off")
    return counts
