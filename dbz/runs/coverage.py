"""What there is no word of in the record of a run: seconds without a line, a probe, or any answer of the target.

One rule holds for all of them: for every judged second there is a line of each worker and a probe of the target, or
the gap is judged. A gap of the generator or of dbz makes the run invalid, one of the target counts against the target.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, REQUEST_KINDS, RUNNING, Series
from dbz.runs.reading import Record
from dbz.runs.schema import Window
from dbz.units import format_duration

STILL_S = 1.0
"""A worker whose line comes later than it is due by more than this stood still; less is a busy moment."""
_UNCOVERED_S = 0.5
"""Lines end at full seconds, give or take; a longer stretch between two of them is a line that is missing."""
_NOT_FOUND = 404


@dataclass(frozen=True)
class Gap:
    """A stretch of the judged part that a worker says nothing of, in seconds since the start of the run."""

    worker: str
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s


def worker_gaps(record: Record, window: Window) -> list[Gap]:
    """Where workers stood still, or where lines of theirs are missing."""
    return [gap for worker, lines in record.workers.items() for gap in _gaps(worker, lines, window)]


def _gaps(worker: str, lines: Sequence[dict[str, Any]], window: Window) -> Iterator[Gap]:
    covered_s = window.start_s
    for line in sorted(lines, key=lambda one: float(one["t"])):
        length_s = float(line.get("dt", 1.0))
        start_s, end_s = float(line["t"]) - length_s, float(line["t"])
        if end_s <= window.start_s or start_s >= window.end_s:
            continue
        if start_s - covered_s > _UNCOVERED_S:
            yield Gap(worker, covered_s, start_s)
        # A line is due a second after the one before.
        still_s = min(end_s, window.end_s) - max(start_s + 1.0, window.start_s)
        if still_s > STILL_S:
            yield Gap(worker, start_s + 1.0, end_s)
        covered_s = max(covered_s, end_s)
    if window.end_s - covered_s > _UNCOVERED_S:
        yield Gap(worker, covered_s, window.end_s)


def gap_reason(gaps: Sequence[Gap]) -> str:
    """Why gaps of the generator make a run invalid; empty without any."""
    if not gaps:
        return ""
    worst = max(gaps, key=lambda gap: gap.seconds)
    others = f", and there are {len(gaps) - 1} more such gaps" if len(gaps) > 1 else ""
    return (
        f"{worst.worker} of the load generator stood still, or could not write, for {format_duration(worst.seconds)} "
        f"from {format_duration(worst.start_s)} on{others}: what it made of that time is no measure of the target"
    )


def probes(record: Record, window: Window) -> tuple[int, int]:
    """In how many seconds of a window the target was up, of how many; (0, 0) when that was not measured.

    A second without a probe counts as down, and so does one of silence, whether or not there is a health probe.
    """
    due = _whole_seconds(window)
    silent = set(silent_seconds(record, window))
    if not has_health(record):
        return (len(due) - len(silent), len(due)) if silent else (0, 0)
    up: dict[int, bool] = {}
    for line in record.server:
        if "up" in line:
            second = math.floor(line["t"])
            up[second] = bool(line["up"]) and up.get(second, True)
    return sum(up.get(second, False) and second not in silent for second in due), len(due)


def has_health(record: Record) -> bool:
    """Whether the target has a health probe: 404 alone says that it has none."""
    answers = {line["health"] for line in record.server if isinstance(line.get("health"), int)}
    return answers != {_NOT_FOUND} and any("up" in line for line in record.server)


def unprobed_seconds(record: Record, window: Window) -> int:
    """Seconds of a window in which dbz did not ask the target how it is, though it has a health probe."""
    if not has_health(record):
        return 0
    asked = {math.floor(line["t"]) for line in record.server if "up" in line or "health" in line}
    return sum(second not in asked for second in _whole_seconds(window))


def silent_seconds(record: Record, window: Window) -> list[int]:
    """Seconds in which no request ended, although some had been waiting for long.

    Long is a second more than twice what requests of that operation usually take: one user who waits for a slow report
    is no silence.
    """
    answered: set[int] = set()
    waiting: defaultdict[int, dict[str, float]] = defaultdict(dict)
    usual: defaultdict[str, Histogram] = defaultdict(Histogram)
    for interval in record.intervals:
        series, second = interval.series, math.floor(interval.start_s + interval.length_s / 2)
        if series.kind == RUNNING:
            oldest_s = interval.histogram.max_us / 1e6
            waiting[second][series.name] = max(waiting[second].get(series.name, 0.0), oldest_s)
        elif series.kind in REQUEST_KINDS and len(interval.histogram):
            # A worker that lags writes several seconds at once; which of them were silent it does not know.
            answered.update(range(math.floor(interval.start_s + 0.5), second + 1))
            if series.kind == HTTP and not series.failed:
                usual[series.name].add(interval.histogram)
    medians_s = {name: histogram.percentile_us(50) / 1e6 for name, histogram in usual.items()}
    return [
        second
        for second in _whole_seconds(window)
        if second not in answered
        and any(age_s > 1.0 + 2 * medians_s.get(name, 0.0) for name, age_s in waiting[second].items())
    ]


def silences(record: Record, window: Window) -> list[tuple[int, int]]:
    """Stretches of silence: first second, and how many."""
    runs = groupby(enumerate(silent_seconds(record, window)), key=lambda pair: pair[1] - pair[0])
    return [(stretch[0][1], len(stretch)) for stretch in (list(run) for _, run in runs)]


def silence_note(record: Record, window: Window) -> str:
    """What a reader should know of the target's silence; empty when it was never silent."""
    stretches = silences(record, window)
    if not stretches:
        return ""
    first, seconds = max(stretches, key=lambda one: one[1])
    total = sum(one[1] for one in stretches)
    more = f" ({total:,} s in all)" if total > seconds else ""
    return (
        f"the target was silent for {seconds:,} s from {format_duration(float(first))} on{more}: requests were waiting, "
        "and none was answered"
    )


def _whole_seconds(window: Window) -> range:
    return range(math.ceil(window.start_s - 0.01), max(math.floor(window.end_s + 0.01), math.ceil(window.start_s)))


def waiting_at_the_end(record: Record, window: Window) -> dict[Series, Histogram]:
    """Ages of the requests that had been waiting for a second or longer when a window ended, by operation."""
    found: defaultdict[Series, Histogram] = defaultdict(Histogram)
    for interval in record.intervals:
        if interval.series.kind == RUNNING and abs(interval.start_s + interval.length_s - window.end_s) < 0.5:
            found[Series(HTTP, interval.series.name)].add(interval.histogram)
    return dict(found)
