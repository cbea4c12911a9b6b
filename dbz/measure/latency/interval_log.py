"""The standard HdrHistogram interval log: one tagged line for each series and second.

    #[Histogram log format version 1.3]
    #[StartTime: 1700000000.000 (seconds since epoch), …]
    Tag=http:GET%20/api/posts,12.000,1.000,48.127,HISTFAAA…

Times are seconds since the start of the run; the maximum is in milliseconds, histogram values in microseconds. A load
whose users are on several networks, or whose answers name the services that gave them, has lines for each:
`Tag=http@network=3g&service=game:GET%20/api/posts,…`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import Series
from dbz.measure.latency.tags import NO_TAGS, Tags


@dataclass(frozen=True)
class Interval:
    """The samples of one series that ended in [start_s, start_s + length_s) of the run."""

    series: Series
    start_s: float
    length_s: float
    histogram: Histogram
    tags: Tags = NO_TAGS
    merged: bool = False
    """Whether it was put together of several seconds: when within its length something was, it does not say."""


def header(started_epoch_s: float) -> str:
    """The comment lines at the top of a log."""
    at = datetime.fromtimestamp(started_epoch_s, UTC).isoformat(timespec="milliseconds")
    return (
        "#[Histogram log format version 1.3]\n"
        f"#[BaseTime: {started_epoch_s:.3f} (seconds since epoch)]\n"
        f"#[StartTime: {started_epoch_s:.3f} (seconds since epoch), {at}]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    )


_series_and_tags = lru_cache(maxsize=10_000)(Series.and_tags)
"""The same few tags stand on every line of a log."""


def line(interval: Interval) -> str:
    """One line of the log, newline included."""
    maximum_ms = interval.histogram.max_us / 1000
    return (
        f"Tag={interval.series.tag(interval.tags)},{interval.start_s:.3f},{interval.length_s:.3f},{maximum_ms:.3f},"
        f"{interval.histogram.encode()}\n"
    )


def parse(text: str) -> Interval | None:
    """The interval in a complete line; None for comments, the legend and intervals without a tag; `ValueError` for a
    damaged line."""
    if not text.strip() or text[0] in '#"' or text[0].isdigit():
        return None
    try:
        if not text.startswith("Tag="):
            raise ValueError("it does not begin with a tag")
        tag, start, length, _maximum, payload = text[4:].rstrip("\n").split(",")
        series, tags = _series_and_tags(tag)
        interval = Interval(series, float(start), float(length), Histogram.decode(payload), tags)
        if not (math.isfinite(interval.start_s) and math.isfinite(interval.length_s)):
            raise ValueError(f"'{start}' or '{length}' is not a time")
        return interval
    except ValueError as error:
        raise ValueError(f"damaged interval line: {error}") from error
