"""The interval log: other tools read it, and any name survives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import example, given
from hypothesis import strategies as st

from dbz.measure.latency import interval_log
from dbz.measure.latency.histogram import HIGHEST_US, Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import DELIVERY, HTTP, REQUEST_KINDS, Series
from dbz.measure.latency.tags import Tags

names = st.text(st.characters(codec=None), max_size=40)
series = st.builds(Series, st.sampled_from(REQUEST_KINDS), names, st.booleans())


@given(series)
@example(Series(HTTP, "GET /a,b c\n\r\u2028!:%2C", failed=True))
@example(Series(HTTP, "\ud800"))
def test_any_name_survives_its_tag(one: Series) -> None:
    tag = one.tag()
    assert not set(tag) & set(", \n\r\t")
    assert len(tag.splitlines()) == 1
    # Half an emoji is no text: it is written, and read, as its number.
    name = one.name.encode("utf-8", "backslashreplace").decode()
    assert Series.from_tag(tag) == replace(one, name=name)


@pytest.mark.parametrize("tag", ["", "http", ":name"])
def test_a_tag_without_a_kind_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="not a series tag"):
        Series.from_tag(tag)


@given(
    series,
    st.integers(0, 10**6),
    st.lists(st.integers(0, HIGHEST_US), max_size=10),
    st.builds(Tags, st.sampled_from(["", "3g"]), names),
)
def test_an_interval_survives_its_line(one: Series, start_ms: int, recorded: list[int], tags: Tags) -> None:
    histogram = Histogram()
    for value in recorded:
        histogram.record(value)
    interval = Interval(one, start_ms / 1000, 1.0, histogram, tags)
    text = interval_log.line(interval)
    assert text.count(",") == 4
    written = tags._replace(service=tags.service.encode("utf-8", "backslashreplace").decode())
    name = one.name.encode("utf-8", "backslashreplace").decode()
    assert interval_log.parse(text) == replace(interval, series=replace(one, name=name), tags=written)


def test_a_network_that_stands_alone_is_read_as_dbz_once_wrote_it() -> None:
    assert Series.and_tags("http!@3g:GET%20/") == (Series(HTTP, "GET /", failed=True), Tags("3g"))
    with pytest.raises(ValueError, match="no label of samples"):
        Series.and_tags("http@zone=b:GET%20/")


def test_the_librarys_log_reader_reads_our_log(tmp_path: Path) -> None:
    histogram = Histogram()
    for value in (1_000, 2_000, 48_127):
        histogram.record(value)
    path = tmp_path / "worker-0.hlog"
    first = Interval(Series(HTTP, "GET /api/posts"), 0.0, 1.0, histogram)
    second = Interval(Series(DELIVERY, "chat", failed=True), 12.0, 1.0, histogram)
    path.write_text(interval_log.header(1_700_000_000.25) + interval_log.line(first) + interval_log.line(second))
    reader = HistogramLogReader(str(path), HdrHistogram(1, HIGHEST_US, 3))
    try:
        intervals = [reader.get_next_interval_histogram() for _ in range(3)]
    finally:
        reader.input_file.close()
    assert reader.get_start_time_sec() == 1_700_000_000.25
    assert [one.get_tag() for one in intervals[:2]] == ["http:GET%20/api/posts", "delivery!:chat"]
    assert [one.get_total_count() for one in intervals[:2]] == [3, 3]
    assert intervals[1].get_start_time_stamp() == pytest.approx(1_700_000_012_250)
    assert intervals[2] is None


@pytest.mark.parametrize("text", ["", "#[comment]", '"StartTimestamp","Interval_Length"', "0.1,1.0,2.0,HISTFAAA"])
def test_lines_that_are_no_tagged_interval_are_skipped(text: str) -> None:
    assert interval_log.parse(text) is None


@pytest.mark.parametrize(
    "text", ["Tag=http:x", "Tag=http:x,0.0,1.0,2.0,HIST", "Tag=x,0.0,1.0,2.0,", "Tag=http:x,a,b,c,d"]
)
def test_a_damaged_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="damaged interval line"):
        interval_log.parse(text)


@pytest.mark.parametrize("start", ["nan", "inf"])
def test_a_time_that_is_no_number_is_refused(start: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        interval_log.parse(f"Tag=http:x,{start},1.000,0.0,{Histogram().encode()}")
