"""Our histograms against those of the hdrhistogram library."""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from dbz.measure.latency.histogram import HIGHEST_US, Histogram, bounds_of, index_of, merged, rank_of

values = st.one_of(st.integers(0, 5_000), st.integers(0, HIGHEST_US))
samples = st.lists(values, max_size=60)
some_samples = st.lists(values, min_size=1, max_size=60)


def ours(recorded: list[int]) -> Histogram:
    histogram = Histogram()
    for value in recorded:
        histogram.record(value)
    return histogram


def theirs(recorded: list[int]) -> HdrHistogram:
    histogram = HdrHistogram(1, HIGHEST_US, 3)
    for value in recorded:
        assert histogram.record_value(value)
    return histogram


@given(some_samples, st.data())
def test_every_rank_has_the_same_value_as_in_the_library(recorded: list[int], data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, len(recorded)))
    assert ours(recorded).value_at_rank(rank) == theirs(recorded).get_value_at_percentile(100 * rank / len(recorded))


@given(some_samples, st.sampled_from([50.0, 90.0, 95.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_the_nearest_rank_to_three_digits(recorded: list[int], percent: float) -> None:
    exact = sorted(recorded)[rank_of(percent, len(recorded)) - 1]
    found = ours(recorded).percentile_us(percent)
    assert exact <= found <= exact * 1.001 + 1


def test_a_thousand_samples_put_the_p999_on_rank_999() -> None:
    assert rank_of(99.9, 1000) == 999
    assert ours(list(range(1, 1001))).percentile_us(99.9) == 999


@given(some_samples)
def test_extremes_and_mean_agree_with_the_library(recorded: list[int]) -> None:
    mine, other = ours(recorded), theirs(recorded)
    assert (len(mine), mine.max_us) == (other.get_total_count(), other.get_max_value())
    assert mine.min_us <= min(recorded) <= mine.max_us
    assert mine.mean_us() == pytest.approx(sum(recorded) / len(recorded), rel=0.001, abs=1)


@given(samples)
def test_the_library_reads_what_we_write(recorded: list[int]) -> None:
    decoded = HdrHistogram.decode(ours(recorded).encode())
    assert decoded.get_total_count() == len(recorded)
    assert decoded.equals(theirs(recorded))


@given(samples)
def test_we_read_what_the_library_writes(recorded: list[int]) -> None:
    assert Histogram.decode(theirs(recorded).encode().decode()) == ours(recorded)


@given(st.dictionaries(st.integers(0, HIGHEST_US).map(index_of), st.integers(1, 2**60), max_size=20))
def test_encoding_loses_nothing_even_with_huge_counts(counts: dict[int, int]) -> None:
    assert Histogram.decode(Histogram(dict(counts)).encode()).counts == counts


@given(st.lists(samples, max_size=5))
def test_merging_equals_recording_all_in_one(parts: list[list[int]]) -> None:
    assert merged(map(ours, parts)) == ours([value for part in parts for value in part])


@given(values)
def test_a_value_lies_within_the_bounds_of_its_position(value: int) -> None:
    low, high = bounds_of(index_of(value))
    assert low <= value <= high
    assert (high - low) <= max(value / 1000, 0)


@given(st.integers(), st.integers(1, 5))
def test_values_out_of_range_are_clamped(value: int, count: int) -> None:
    histogram = Histogram()
    histogram.record(value, count)
    assert len(histogram) == count
    assert 0 <= histogram.min_us <= bounds_of(index_of(HIGHEST_US))[1]


def test_an_empty_histogram_answers_zero_everywhere() -> None:
    empty = Histogram()
    assert (len(empty), empty.max_us, empty.min_us, empty.mean_us(), empty.percentile_us(95)) == (0, 0, 0, 0.0, 0)
    assert Histogram.decode(empty.encode()) == empty


def other_precision() -> str:
    return HdrHistogram(1, 1000, 2).encode().decode()


def truncated_counts() -> str:
    header = struct.pack(">iiiiqqd", 0x1C849313, 1, 0, 3, 1, HIGHEST_US, 1.0)
    packed = zlib.compress(header + b"\x80")
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(packed)) + packed).decode()


@pytest.mark.parametrize(
    "text",
    ["", "HIST", "!!!", "HISTFAAA", ours([1, 2, 3]).encode()[:-8], other_precision(), truncated_counts()],
)
def test_anything_else_is_refused_when_decoding(text: str) -> None:
    with pytest.raises(ValueError, match="not a compressed histogram"):
        Histogram.decode(text)


many = st.dictionaries(st.integers(0, index_of(HIGHEST_US)), st.integers(1, 1 << 40), min_size=65, max_size=90)


@given(many, many)
def test_a_packed_histogram_says_the_same_and_can_be_added_to(counts: dict[int, int], more: dict[int, int]) -> None:
    packed, plain = Histogram(dict(counts)).pack(), Histogram(dict(counts))
    assert packed == plain
    assert (len(packed), list(packed.buckets()), packed.max_us) == (len(plain), list(plain.buckets()), plain.max_us)
    assert merged([Histogram(dict(more)).pack(), packed]) == merged([plain, Histogram(dict(more))])
    packed.add(Histogram(dict(more)).pack())
    packed.record(7)
    plain.add(Histogram(dict(more)))
    plain.record(7)
    assert packed == plain
    assert Histogram.decode(packed.encode()) == plain


crowded = st.dictionaries(st.integers(0, 300), st.integers(1, 9), max_size=120)


@given(st.lists(st.one_of(crowded, many), max_size=6))
def test_merging_many_is_adding_one_after_the_other(parts: list[dict[int, int]]) -> None:
    by_adding = Histogram()
    for part in parts:
        by_adding.add(Histogram(dict(part)))
    whole = merged(Histogram(dict(part)).pack() if at % 2 else Histogram(dict(part)) for at, part in enumerate(parts))
    assert whole == by_adding
    assert (len(whole), bool(whole), list(whole.buckets())) == (
        len(by_adding),
        bool(by_adding),
        list(by_adding.buckets()),
    )
    assert (whole.min_us, whole.max_us, whole.total_us()) == (
        by_adding.min_us,
        by_adding.max_us,
        by_adding.total_us(),
    )
    for rank in (0, 1, len(whole) // 2, len(whole), len(whole) + 1):
        assert whole.bounds_at_rank(rank) == by_adding.bounds_at_rank(rank)
    assert Histogram.decode(whole.encode()) == by_adding


@given(st.one_of(crowded, many), st.integers(1, 500))
def test_groups_of_positions_hold_what_their_positions_hold(counts: dict[int, int], width: int) -> None:
    expected: dict[int, int] = {}
    for index, count in counts.items():
        expected[index // width] = expected.get(index // width, 0) + count
    for histogram in (Histogram(dict(counts)), Histogram(dict(counts)).pack()):
        assert histogram.grouped(lambda index: index // width) == expected


@given(some_samples, st.floats(-1, 4e9))
def test_up_to_counts_the_positions_that_begin_below_a_value(recorded: list[int], value_us: float) -> None:
    histogram = ours(recorded)
    assert histogram.up_to(value_us) == sum(count for low, _, count in histogram.buckets() if low <= value_us)


@given(some_samples)
def test_a_histogram_that_is_cut_off_is_refused_or_another_one(recorded: list[int]) -> None:
    plain = zlib.decompress(base64.b64decode(ours(recorded).encode())[8:])[:-1]
    packed = zlib.compress(plain)
    cut = base64.b64encode(struct.pack(">ii", 0x1C849314, len(packed)) + packed).decode()
    with contextlib.suppress(ValueError):
        assert Histogram.decode(cut) != ours(recorded)
