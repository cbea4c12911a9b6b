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
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, compress

from dbz.measure.latency.zigzag import decoded_counts, encoded_counts

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
_DENSE_FROM = 0.25
"""Merging goes over all positions, used or not, where there are so many counts for each of them."""


def index_of(value_us: int) -> int:
    """The position of a value in the counts array."""
    bucket = (value_us | SUB_MASK).bit_length() - SUB_BITS
    return (bucket << HALF_BITS) + (value_us >> bucket)


def bounds_of(index: int) -> tuple[int, int]:
    """The lowest and the highest value, in microseconds, that share a position."""
    bucket = max((index >> HALF_BITS) - 1, 0)
    low = (index - (bucket << HALF_BITS)) << bucket
    return low, low + (1 << bucket) - 1


_POSITIONS = index_of(HIGHEST_US) + 1
"""So many positions there are; a damaged file may name others."""


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
            with suppress(OverflowError):  # of another tool, or of very many values
                self._packed = _arrays(*self._sorted())
                self._counts = None
        return self

    def _sorted(self) -> tuple[Sequence[int], Sequence[int]]:
        """Positions that hold values, in ascending order, and how many are at each; to be read only."""
        if self._packed is not None:
            return self._packed
        counts = self.counts
        positions = sorted(counts)
        return positions, list(map(counts.__getitem__, positions))

    def _pairs(self) -> Iterable[tuple[int, int]]:
        """Each position that holds values, in any order, and how many it holds."""
        return self._counts.items() if self._counts is not None else zip(*self._packed or (), strict=True)

    def _distinct(self) -> int:
        """How many positions hold values."""
        return len(self._counts) if self._counts is not None else len((self._packed or ((),))[0])

    def _last(self) -> int:
        """The highest position that holds values; 0 when empty."""
        return self._packed[0][-1] if self._packed is not None else max(self._counts or (0,))

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
        if not counts:
            counts.update(other._pairs())
            return
        known = counts.get
        for index, count in other._pairs():
            counts[index] = known(index, 0) + count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __len__(self) -> int:
        return sum(self._counts.values()) if self._counts is not None else sum((self._packed or ((), ()))[1])

    def __bool__(self) -> bool:
        """Whether there is any value."""
        return bool(self._counts) or self._packed is not None

    def up_to(self, value_us: float) -> int:
        """How many values are at positions whose lowest value is not above this."""
        last = index_of(min(math.floor(value_us), HIGHEST_US)) if value_us >= 0 else -1
        if self._packed is not None:
            positions, counts = self._packed
            return sum(counts[: bisect_right(positions, last)])
        return sum(count for index, count in self._pairs() if index <= last)

    def grouped(self, group_of: Callable[[int], int]) -> dict[int, int]:
        """How many values are in each group of positions; a higher position is never of a lower group."""
        groups: dict[int, int] = {}
        if self._packed is None:
            for index, count in self._pairs():
                group = group_of(index)
                groups[group] = groups.get(group, 0) + count
            return groups
        positions, counts = self._packed
        begin = 0
        while begin < len(positions):
            group = group_of(positions[begin])
            end = bisect_right(positions, group, begin, key=group_of)
            groups[group] = sum(counts[begin:end])
            begin = end
        return groups

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """(lowest, highest, count) of each position that holds values, in ascending order, in microseconds."""
        for index, count in zip(*self._sorted(), strict=True):
            low, high = bounds_of(index)
            yield low, high, count

    @property
    def max_us(self) -> int:
        """The highest value that the largest recorded one may have had; 0 when empty."""
        return bounds_of(self._last())[1] if self else 0

    @property
    def min_us(self) -> int:
        """The lowest value that the smallest recorded one may have had; 0 when empty."""
        return bounds_of(min(self._packed[0] if self._packed is not None else self._counts or ()))[0] if self else 0

    def total_us(self) -> float:
        """The sum of all values, each taken at the middle of its position."""
        return sum(sum(bounds_of(index)) * count for index, count in self._pairs()) / 2

    def mean_us(self) -> float:
        """The arithmetic mean; 0 when empty."""
        return self.total_us() / len(self) if self else 0.0

    def value_at_rank(self, rank: int) -> int:
        """The value, in microseconds, of the rank-th smallest sample (1 is the smallest)."""
        return self.bounds_at_rank(rank)[1]

    def bounds_at_rank(self, rank: int) -> tuple[int, int]:
        """The lowest and the highest value, in microseconds, that the rank-th smallest sample may have had."""
        positions, counts = self._sorted()
        if not positions:
            return bounds_of(0)
        seen = list(accumulate(counts))
        return bounds_of(positions[min(bisect_left(seen, rank), len(seen) - 1)])

    def percentile_us(self, percent: float) -> int:
        """The smallest recorded value such that at least `percent` % of all values are not above it."""
        return self.value_at_rank(rank_of(percent, len(self)))

    def encode(self) -> str:
        """The compressed V2 form, in base64, as the interval-log format wants it."""
        payload = encoded_counts(*self._sorted())
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
            return cls._of_sorted(*decoded_counts(plain[_HEADER.size : _HEADER.size + size]))
        except (ValueError, IndexError, struct.error, zlib.error) as error:
            raise ValueError(f"not a compressed histogram: {error}") from error

    @classmethod
    def _of_sorted(cls, positions: Sequence[int], counts: Sequence[int]) -> Histogram:
        """The histogram with these counts at these positions, which ascend."""
        if len(positions) > _PACKED_FROM:
            with suppress(OverflowError):
                packed = cls()
                packed._packed, packed._counts = _arrays(positions, counts), None
                return packed
        return cls(dict(zip(positions, counts, strict=True)))


def _arrays(positions: Iterable[int], counts: Iterable[int]) -> tuple[array[int], array[int]]:
    return array("H", positions), array("I", counts)


def rank_of(percent: float, count: int) -> int:
    """The rank (from 1) of the sample at a percentile: the nearest-rank definition."""
    # 99.9 % of 1,000 must be rank 999; the floating product is a hair above it.
    return max(1, math.ceil(round(percent / 100 * count, 9)))


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram with the counts of all."""
    every = [one for one in histograms if one]
    top = max((one._last() for one in every), default=0) + 1
    whole = Histogram()
    if top > _POSITIONS or sum(one._distinct() for one in every) < top * _DENSE_FROM:
        for one in every:
            whole.add(one)
        return whole
    # A list by position takes half the time of a dictionary, where most positions are used.
    dense = [0] * top
    for one in every:
        for index, count in one._pairs():
            dense[index] += count
    return Histogram._of_sorted(list(compress(range(top), dense)), list(filter(None, dense)))
