"""Counts in zig-zag LEB128: the passes over the whole against a reader that goes byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbz.measure.latency.zigzag import decoded_counts, encoded_counts


def byte_by_byte(payload: bytes) -> dict[int, int]:
    counts: dict[int, int] = {}
    position = number = shift = 0
    for byte in payload:
        last = shift == 56 or byte < 0x80
        number |= (byte if shift == 56 else byte & 0x7F) << shift
        shift += 7
        if last:
            if number & 1:
                position += (number + 1) >> 1
            else:
                counts |= {position: number >> 1} if number else {}
                position += 1
            number = shift = 0
    if shift:
        raise ValueError("cut off")
    return counts


@given(st.one_of(st.binary(max_size=60), st.lists(st.integers(0, 127), max_size=60).map(bytes)))
@example(b"\x80\x00")
@example(b"\xff" * 9)
@example(b"\xff" * 8)
@example(b"\x02" + b"\x81" * 9 + b"\x03\x04")
def test_any_bytes_are_read_as_one_by_one(payload: bytes) -> None:
    try:
        expected = byte_by_byte(payload)
    except ValueError:
        with pytest.raises(ValueError, match="cut off"):
            decoded_counts(payload)
    else:
        positions, counts = decoded_counts(payload)
        assert list(positions) == sorted(expected)
        assert dict(zip(positions, counts, strict=True)) == expected


@given(st.dictionaries(st.integers(0, 30_000), st.integers(1, 2**62 - 1), max_size=80))
def test_what_was_written_is_read_one_by_one(counts: dict[int, int]) -> None:
    positions = sorted(counts)
    assert byte_by_byte(encoded_counts(positions, [counts[at] for at in positions])) == counts


def test_a_full_stretch_of_the_array_has_no_runs_between() -> None:
    assert encoded_counts([0, 1, 2, 5], [1, 2, 3, 64]) == bytes([2, 4, 6, 3, 0x80, 1])
