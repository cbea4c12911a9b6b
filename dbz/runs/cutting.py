"""Cutting the judged part of a run into stretches of time, for budgets that ask about each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Cut
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import UNFINISHED
from dbz.runs.aggregate import measurements
from dbz.runs.reading import Record
from dbz.runs.schema import Window


def cut_of(record: Record, window: Window) -> Cut:
    """How a window of a record is cut. A stretch that the end of the run made shorter is left out."""

    def cut(after_s: float, length_s: float | None) -> list[Measurements]:
        rest = Window(start_s=min(window.start_s + after_s, window.end_s), end_s=window.end_s)
        if length_s is None:
            return [measurements(record, rest)]
        starts = [rest.start_s + at * length_s for at in range(int(rest.seconds / length_s + 1e-9))]
        parts = [Window(start_s=start, end_s=start + length_s) for start in starts]
        return [measurements(some, part) for some, part in zip(_split(record, parts), parts, strict=True)]

    return cut


def _split(record: Record, parts: Sequence[Window]) -> list[Record]:
    """Records with the intervals of each part only, so that each interval is looked at once."""
    intervals: list[list[Interval]] = [[] for _ in parts]
    for interval in record.intervals if parts else ():
        middle_s = interval.start_s + interval.length_s / 2
        at = math.floor((middle_s - parts[0].start_s) / parts[0].seconds)
        # What the end of the run cut off was still waiting in its last part.
        at = len(parts) - 1 if interval.series.kind == UNFINISHED else at
        if 0 <= at < len(parts):
            intervals[at].append(interval)
    return [replace(record, intervals=some) for some in intervals]
