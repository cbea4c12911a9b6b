"""Blocks of a window, and a heat map: of rows in groups, against adding one row after the other."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.measure.latency.histogram import Histogram, bounds_of, index_of
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, Series
from dbz.report.html.details import _heat, band_of
from dbz.runs.aggregate import blocks, measurements
from dbz.runs.fold import Fold
from dbz.runs.past.spans import block_length_s
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record

_COUNTS = st.one_of(
    st.dictionaries(st.integers(0, 90_000).map(index_of), st.integers(1, 3), min_size=1, max_size=5),
    st.dictionaries(st.integers(0, 90_000).map(index_of), st.integers(1, 3), min_size=65, max_size=80),
)
_ROWS = st.lists(
    st.builds(
        lambda name, failed, second, counts: Interval(
            Series(HTTP, name, failed), float(second), 1.0, Histogram(counts).pack()
        ),
        st.sampled_from("ab"),
        st.booleans(),
        st.integers(0, 100),
        _COUNTS,
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(_ROWS, st.integers(0, 20), st.integers(0, 100))
def test_blocks_hold_what_rows_hold_one_by_one(rows: list[Interval], start_s: int, seconds: int) -> None:
    window = Window(start_s=float(start_s), end_s=float(start_s + seconds))
    length_s = block_length_s(window.seconds)
    found = blocks(rows, window)
    assert len(found) == seconds // length_s
    for at, block in enumerate(found):
        expected: dict[Series, Histogram] = {}
        for row in rows:
            if math.floor((row.start_s + 0.5 - start_s) / length_s) == at:
                expected.setdefault(row.series, Histogram()).add(row.histogram)
        assert {of.name for of in block} == {of.name for of in expected}
        for of, latency in block.items():
            assert latency.ok == expected.get(of, Histogram())
            assert latency.failed == expected.get(of.as_failed(), Histogram())


@settings(max_examples=40)
@given(_ROWS)
def test_a_whole_record_measures_what_its_rows_do_one_by_one(rows: list[Interval]) -> None:
    window = Window(start_s=5.0, end_s=60.0)
    fold = Fold(window)
    for row in rows:
        fold.add_interval(row)
    assert measurements(Record(intervals=rows), window).latencies == fold.latencies()


@settings(max_examples=40)
@given(_ROWS, st.integers(1, 30))
def test_a_heat_map_has_each_success_in_its_step_and_band(rows: list[Interval], step_s: int) -> None:
    expected: dict[tuple[str, str], dict[tuple[int, int], int]] = {}
    for row in rows:
        if not row.series.failed:
            cells = expected.setdefault((HTTP, row.series.name), {})
            for position, count in row.histogram.counts.items():
                cell = int(row.start_s + 0.5) // step_s, band_of(sum(bounds_of(position)) / 2000)
                cells[cell] = cells.get(cell, 0) + count
    assert _heat(Record(intervals=rows), step_s) == expected
