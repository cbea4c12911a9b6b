"""What there is no word of in the record of a run: seconds without a line, a probe, or any answer of the target.

One rule holds for all of them: for every judged second there is a line of each worker and a probe of the target, or
the gap is judged. A gap of the generator or of dbz makes the run invalid, one of the target counts against the target.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from dbz.measure.latency.histogram import Histogram, merged
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import HTTP, RUNNING, Series
from dbz.runs.fold import inside
from dbz.runs.past.merging import answered_seconds
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record, has_left
from dbz.units import format_duration

STILL_S = 1.0
"""A worker whose line comes later than it is due by more than this stood still; less is a busy moment."""
_UNCOVERED_S = 0.5
"""Lines end at full seconds, give or take; a longer stretch between two of them is a line that is missing."""
_NOT_FOUND = 404
_MAY_MISS, _MAY_MISS_SHARE = 2, 0.1
"""So many seconds, or that share of them, may be without the target's own figures."""


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
    if window.end_s - covered_s > _UNCOVERED_S and not has_left(lines):
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


def probes(record: Record, window: Window, silent: Collection[int]) -> tuple[int, int]:
    """In how many seconds of a window the target was up, of how many; (0, 0) when that was not measured.

    A second without a probe counts as down. So does, whether or not the target has a health probe, a silent second, and
    one in which it could not even be connected to.
    """
    due = _whole_seconds(window)
    if not has_health(record):
        gone = {math.floor(line["t"]) for line in record.server if "unreachable" in line}
        down = sum(second in silent or second in gone for second in due)
        return (len(due) - down, len(due)) if down else (0, 0)
    up: dict[int, bool] = {}
    for line in record.server:
        if "up" in line:
            second = math.floor(line["t"])
            up[second] = bool(line["up"]) and up.get(second, True)
    return sum(up.get(second, False) and second not in silent for second in due), len(due)


def has_health(record: Record) -> bool:
    """Whether the target has a health probe: one whose path the user named, or that answered something but 404."""
    return any(
        "probe" in line or line.get("up") or (isinstance(line.get("health"), int) and line["health"] != _NOT_FOUND)
        for line in record.server
    )


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
    answered, oldest_s = set(record.answered), defaultdict[int, dict[str, float]](dict)
    for interval in record.intervals:
        if interval.series.kind == RUNNING:
            waiting = oldest_s[math.floor(interval.start_s + interval.length_s / 2)]
            name, age_s = interval.series.name, interval.histogram.max_us / 1e6
            waiting[name] = max(waiting.get(name, 0.0), age_s)
        elif not interval.merged:
            answered.update(answered_seconds(interval))
    silent = {second: oldest_s[second] for second in _whole_seconds(window) if second not in answered}
    medians_s = _medians_s(record, {name for waiting in silent.values() for name in waiting})
    return [
        second
        for second, waiting in silent.items()
        if any(age_s > 1.0 + 2 * medians_s.get(name, 0.0) for name, age_s in waiting.items())
    ]


def _medians_s(record: Record, names: Collection[str]) -> dict[str, float]:
    """How long successful requests of these operations took in the whole run."""
    usual: defaultdict[str, list[Histogram]] = defaultdict(list)
    for interval in record.intervals if names else ():
        series = interval.series
        if series.kind == HTTP and not series.failed and series.name in names:
            usual[series.name].append(interval.histogram)
    return {name: merged(parts).percentile_us(50) / 1e6 for name, parts in usual.items() if any(parts)}


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
        f"the target was silent for {seconds:,} s from {format_duration(float(first))} on{more}: "
        "requests were waiting, and none was answered"
    )


def _whole_seconds(window: Window) -> range:
    return range(math.ceil(window.start_s - 0.01), max(math.floor(window.end_s + 0.01), math.ceil(window.start_s)))


@dataclass(frozen=True)
class Unanswered:
    """What no sample tells of the requests of a run, as intervals of the series `http`: how long they waited."""

    running: Sequence[Interval]
    """Ages of the requests that were under way when a second ended, and for a second or longer."""
    silent: Sequence[Interval]
    """In the seconds of silence of a closed load: the requests that its users would have made."""

    def within(self, part: Window, *, to_the_end: bool) -> dict[Series, Histogram]:
        """How long requests had been waiting at the end of a part of the run, and in its silent seconds.

        `to_the_end` says that the run ends with it: what was still waiting then has become failures.
        """
        found: defaultdict[Series, Histogram] = defaultdict(Histogram)
        for one in self.silent:
            if inside(one.start_s, one.length_s, part):
                found[one.series].add(one.histogram)
        for one in self.running:
            if not to_the_end and abs(one.start_s + one.length_s - part.end_s) < _UNCOVERED_S:
                found[one.series].add(one.histogram)
        return dict(found)


def unanswered(record: Record, window: Window) -> Unanswered:
    """What was waiting in the judged part.

    While the target is silent the users of a closed load ask nothing, so that the worst seconds would leave the fewest
    samples (coordinated omission). For each such second stand the requests of an average one, each waiting for the rest
    of the silence. Paced users need no such help: what they did not begin in time carries its lateness.
    """
    running = [
        replace(one, series=Series(HTTP, one.series.name)) for one in record.intervals if one.series.kind == RUNNING
    ]
    paced = any(line.get("begun") for lines in record.workers.values() for line in lines)
    stretches = [] if paced or not running else silences(record, window)
    made: Counter[str] = Counter()
    for one in record.intervals if stretches else ():
        if one.series.kind == HTTP and inside(one.start_s, one.length_s, window):
            made[one.series.name] += len(one.histogram)
    speaking_s = max(window.seconds - sum(seconds for _, seconds in stretches), 1.0)
    silent = []
    for first, seconds in stretches:
        for second in range(first, first + seconds):
            left_us = round((first + seconds - second - 0.5) * 1e6)
            for name, count in made.items():
                histogram = Histogram()
                histogram.record(left_us, round(count / speaking_s))
                silent.append(Interval(Series(HTTP, name), float(second), 1.0, histogram))
    return Unanswered(running, silent)


def record_reasons(record: Record, window: Window, workers: int, *, lost: int = 0) -> list[str]:
    """Why the record of a run of so many workers is no whole one; empty when nothing is missing in it.

    `lost` of the workers may have ended before the others.
    """
    reasons = []
    if 0 < len(record.workers) < workers - lost:
        reasons.append(f"{workers - len(record.workers)} of {workers} workers of the load generator left no record")
    gaps = worker_gaps(record, window)
    ended_early = [gap for gap in gaps if gap.end_s == window.end_s][:lost]
    if gaps := [gap for gap in gaps if gap not in ended_early]:
        reasons.append(gap_reason(gaps))
    if unprobed := unprobed_seconds(record, window):
        reasons.append(
            f"in {unprobed:,} of {len(_whole_seconds(window)):,} seconds the target was not asked how it is: "
            "dbz itself stood still, or could not write"
        )
    if record.damaged_lines:
        reasons.append(f"{record.damaged_lines:,} lines of the record are damaged: was the disk full?")
    return reasons


def metrics_reasons(record: Record, window: Window, names: Mapping[str, str]) -> list[str]:
    """Why budgets on the figures that the target gives of itself cannot be judged.

    `names` are those of such budgets, each with what the lines of the record call its figure. A target that has none
    says so at once; one that has some and then stops telling would be judged by its good seconds.
    """
    due = _whole_seconds(window)
    troubles = [line["metrics_trouble"] for line in record.server if "metrics_trouble" in line]
    concerned: defaultdict[int, list[str]] = defaultdict(list)
    for name, key in names.items():
        told = {math.floor(line["t"]) for line in record.server if line.get(key) is not None}
        missing = sum(second not in told for second in due)
        if missing > max(_MAY_MISS, _MAY_MISS_SHARE * len(due)) and (troubles or told):
            concerned[missing].append(name)
    why = f" ({troubles[-1]})" if troubles else ""
    return [
        f"{', '.join(some)}: the target's metrics could not be read in {missing:,} of {len(due):,} seconds{why}"
        for missing, some in concerned.items()
    ]
