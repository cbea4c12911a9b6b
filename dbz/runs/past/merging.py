"""Rows of a record put together by spans of time, so that every figure of the whole run stays what it was.

Histograms add up without loss, and so do counts. What is about single seconds stays so: how many users there were, what
the generator was like, when an error came first and last, and in which seconds nobody was answered.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from operator import add
from typing import Any

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import REQUEST_KINDS, RUNNING, Series
from dbz.measure.latency.tags import Tags
from dbz.runs.past.spans import Spans

_SUMS = ("answers", "deliveries")
"""What lines of workers hold by name and adds up: it moves to the last line of its span."""
_NEAR_THE_END_S = 0.75
"""What was waiting at the end of a span may be asked for: a window of a budget may end there."""

Line = dict[str, Any]


@dataclass
class Stretch:
    """A stretch of a record whose seconds were put together."""

    intervals: list[Interval] = field(default_factory=list)
    lines: dict[str, list[Line]] = field(default_factory=dict)
    """By worker, in the order of time."""
    answered: set[int] = field(default_factory=set)
    """The seconds in which an attempt ended."""
    damaged_lines: int = 0


def answered_seconds(interval: Interval) -> Collection[int]:
    """The seconds that an interval shows to be answered; none for what is about no attempts.

    A worker that lags writes several seconds at once; which of them were silent it does not know.
    """
    if interval.series.kind not in REQUEST_KINDS or not interval.histogram:
        return ()
    return range(math.floor(interval.start_s + 0.5), math.floor(interval.start_s + interval.length_s / 2) + 1)


@dataclass
class _Sum:
    start_s: float
    end_s: float
    histogram: Histogram


class Merger:
    """Takes in rows of any order and puts those of a span together."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._sums: dict[tuple[tuple[int, int], Series, Tags], _Sum] = {}
        self._latest: dict[tuple[Series, Tags], _Sum] = {}
        self._running: list[Interval] = []
        self._lines: defaultdict[str, list[Line]] = defaultdict(list)
        self._whole = Stretch()

    def add_stretch(self, stretch: Stretch) -> Iterator[None]:
        """Take in what was put together before; stops between rows, so that it can be done bit by bit."""
        self.add_answered(stretch.answered)
        self._whole.damaged_lines += stretch.damaged_lines
        for worker, lines in stretch.lines.items():
            self._lines[worker] += lines
        for interval in stretch.intervals:
            self._add(interval)
            yield

    def add_interval(self, interval: Interval) -> None:
        """Take in the histogram of a series, of a second or of several; of these `add_answered` tells the seconds."""
        if not interval.merged:
            self._whole.answered.update(answered_seconds(interval))
        self._add(interval)

    def add_answered(self, seconds: Iterable[int]) -> None:
        """Take in seconds in which an attempt ended."""
        self._whole.answered.update(seconds)

    def add_line(self, worker: str, line: Line) -> None:
        """Take in what a worker wrote of a second."""
        self._lines[worker].append(line)

    def add_damaged(self, lines: int) -> None:
        """Take in how many lines could not be read."""
        self._whole.damaged_lines += lines

    def result(self) -> Iterator[Stretch | None]:
        """All of it; None as often as something else may be done meanwhile."""
        whole = self._whole
        whole.intervals = [
            Interval(series, one.start_s, one.end_s - one.start_s, one.histogram, tags, merged=True)
            for (_, series, tags), one in self._sums.items()
        ]
        whole.intervals += [one for one in self._running if self._is_wanted(one)]
        whole.intervals.sort(key=lambda one: one.start_s)
        for worker, lines in self._lines.items():
            yield None
            whole.lines[worker] = self._put_together(sorted(lines, key=lambda line: float(line["t"])))
        yield whole

    def _add(self, interval: Interval) -> None:
        if interval.series.kind == RUNNING:
            self._running.append(interval)
            return
        end_s = interval.start_s + interval.length_s
        key = (self._spans.of(interval.start_s + interval.length_s / 2), interval.series, interval.tags)
        known = self._sums.get(key)
        if known is None:
            # The ends of what there is, not those of the span: a run may end within it. The middle of these ends lies
            # between the middles of the rows, so they are in the same windows together as they were apart.
            known = self._sums[key] = _Sum(interval.start_s, end_s, Histogram())
        latest = self._latest.get(key[1:])
        if latest is not known:
            # Rows come in the order of time, at least those of one worker: what is behind them is kept small.
            if latest is not None:
                latest.histogram.pack()
            self._latest[key[1:]] = known
        known.start_s, known.end_s = min(known.start_s, interval.start_s), max(known.end_s, end_s)
        known.histogram.add(interval.histogram)

    def _is_wanted(self, running: Interval) -> bool:
        """Whether it matters what was waiting in a second: while nothing was answered, and where a window may end."""
        middle_s = running.start_s + running.length_s / 2
        near_s = abs(running.start_s + running.length_s - self._spans.end_s(middle_s))
        return math.floor(middle_s) not in self._whole.answered or near_s < _NEAR_THE_END_S

    def _put_together(self, lines: list[Line]) -> list[Line]:
        by_span: dict[tuple[int, int], list[Line]] = {}
        for line in lines:
            by_span.setdefault(self._spans.of(line["t"] - line.get("dt", 1.0) / 2), []).append(line)
        return [line for of_span in by_span.values() for line in _of_a_span(of_span)]


def _of_a_span(lines: list[Line]) -> list[Line]:
    """The lines of one worker and span: sums in the last of them, errors in the first and last that tell of each."""
    if len(lines) == 1:
        return lines
    *before, last = ({key: value for key, value in line.items() if key not in _SUMS} for line in lines)
    for key in _SUMS:
        if sums := _added(line.get(key, {}) for line in lines):
            last[key] = sums
    errors: dict[tuple[str, str, str], list[list[Any]]] = {}
    slim = [*before, last]
    for line, old in zip(slim, lines, strict=True):
        if old.get("errors"):
            line["errors"] = []
            for *of, count in old["errors"]:
                row = [line, count]
                errors.setdefault((of[0], of[1], of[2]), []).append(row)
    for group, rows in errors.items():
        ends = [rows[0], rows[-1]] if len(rows) > 1 else rows
        ends[0][1] += sum(count for _, count in rows[1:-1])
        for line, count in ends:
            line["errors"].append([*group, count])
    return slim


def _added(every: Iterable[dict[str, list[float]]]) -> dict[str, list[float]]:
    sums: dict[str, list[float]] = {}
    for one in every:
        for name, values in one.items():
            sums[name] = list(map(add, sums[name], values)) if name in sums else list(values)
    return sums
