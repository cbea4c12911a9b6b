"""One fold from the rows of a record to what budgets judge: row by row while a load runs, or all at once after it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import add
from typing import Any, TypeVar

from dbz.measure.budget.counted import CounterTally
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.answers import AnswerSums
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram, merged
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import ACK, AFTER_THE_END, DRAINED, HTTP, Series
from dbz.measure.latency.tags import NO_TAGS, Tags
from dbz.runs.pages import GAUGES as PAGE_GAUGES
from dbz.runs.pages import begun_in
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record

SERVER_GAUGES = {
    "server.cpu": "cpu_share",
    "server.memory": "memory_bytes",
    "server.connections": "connections",
    "server.event_loop_lag": "event_loop_lag_ms",
    "server.active_requests": "active_requests",
}
"""Metrics, and what the lines of `server.jsonl` call them."""
_WRONG_DELIVERIES = {"delivery.lost": 3, "delivery.duplicated": 4, "delivery.out_of_order": 5}
"""Metrics, and where their counts stand in the bookkeeping of an event; `expected` stands at 1."""
DOUBTFUL = {"http.doubtful": HTTP, "ack.doubtful": ACK}
"""Metrics of answers that say something against themselves, and the kinds of attempts that are answered."""
_DRAINED_WITHIN_S = 8.0
"""How long after the judged part deliveries of its messages are waited for, with what a slow machine adds."""


_ROUNDED_S = 0.002
"""What rounding may leave between the end of a line and the beginning of the next."""


class Fold:
    """What was measured in a window of a record, from the rows that were taken in so far; the others are left out."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._histograms: dict[Tags, defaultdict[Series, Histogram]] = {}
        self._users: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._deliveries: dict[str, list[int]] = {}
        self._astray: dict[str, list[int]] = {}
        self._answers: dict[str, list[float]] = {}
        self._gauges: dict[str, list[float]] = {metric: [] for metric in SERVER_GAUGES}
        self._queries: defaultdict[str, Buckets] = defaultdict(Buckets)
        self._counters = CounterTally()
        self._pages: dict[str, dict[str, list[float]]] = {}
        self._objections: Counter[tuple[str, str]] = Counter()
        self._looked_at: Counter[str] = Counter()
        self._looked = False
        self._probes = [0, 0]

    def add_record(self, record: Record) -> Fold:
        """Take in all rows of a record."""
        parts: defaultdict[tuple[Tags, Series], list[Histogram]] = defaultdict(list)
        for interval in record.intervals:
            if (series := self._series_of(interval)) is not None:
                parts[interval.tags, series].append(interval.histogram)
        for (tags, series), histograms in parts.items():
            self._add(tags, series, merged(histograms))
        for worker, lines in record.workers.items():
            for line in lines:
                self.add_line(worker, line)
        for line in record.server:
            self.add_server(line)
        for line in record.pages:
            self.add_visit(line)
        return self

    def add_interval(self, interval: Interval) -> None:
        """Take in the histogram of a second and series."""
        if (series := self._series_of(interval)) is not None:
            self._add(interval.tags, series, interval.histogram)

    def _series_of(self, interval: Interval) -> Series | None:
        """What the samples of an interval count as; None when they are not of the window."""
        series, within = interval.series, inside(interval.start_s, interval.length_s, self.window)
        if series.kind == DRAINED or (series.kind in AFTER_THE_END and not within):
            # Written when the judged part had ended, but of what began in it: a request that the end cut off, or a
            # message that was waited for.
            series, within = Series(AFTER_THE_END[series.kind], series.name, series.failed), self.window.seconds > 0
        return series if within else None

    def _add(self, tags: Tags, series: Series, histogram: Histogram) -> None:
        tagged = self._histograms.get(tags)
        if tagged is None:
            tagged = self._histograms[tags] = defaultdict(Histogram)
        tagged[series].add(histogram)

    def add_line(self, worker: str, line: Mapping[str, Any]) -> None:
        """Take in what a worker wrote of a second."""
        for second in _seconds_of(line, self.window):
            self._users[worker][second] = line["users"]
        if line_inside(line, self.window):
            add_deliveries(self._deliveries, line)
            _add_sums(self._astray, line.get("astray", {}))
            _add_sums(self._answers, line.get("answers", {}))
            self._counters.add(line)
            self._looked |= "objections" in line
            for kind, name, _, count in line.get("objections", ()):
                self._objections[kind, name] += count
            for name, counts in line.get("contents", {}).items():
                self._looked_at[name] += sum(counts)
        elif 0 < line["t"] - self.window.end_s < _DRAINED_WITHIN_S:
            add_deliveries(self._deliveries, line, "drained")
            _add_sums(self._astray, line.get("astray", {}))

    def add_server(self, line: Mapping[str, Any]) -> None:
        """Take in a probe of the target, and what its metrics said."""
        if not self.window.start_s <= line["t"] <= self.window.end_s:
            return
        if "up" in line:
            self._probes[0] += bool(line["up"])
            self._probes[1] += 1
        for metric, key in SERVER_GAUGES.items():
            if line.get(key) is not None:
                self._gauges[metric].append(line[key])
        for name, query in line.get("queries", {}).items():
            counts = {float(bound): count for bound, count in query["counts"].items()}
            self._queries[name].add(counts, query["sum_s"])

    def add_visit(self, line: Mapping[str, Any]) -> None:
        """Take in what a visit of a page was like, beside its time, which stands among the intervals.

        What a failed one was like says nothing of the page.
        """
        if "page" in line and not line.get("error") and begun_in(line, self.window):
            for metric, key in PAGE_GAUGES.items():
                if line.get(key) is not None:
                    self._pages.setdefault(metric, {}).setdefault(line["page"], []).append(line[key])

    def latencies(self) -> dict[Series, Latency]:
        """Successes and failures of each series."""
        every = list(self._histograms.values())
        if len(every) == 1:
            return latencies_of(every[0])
        whole: defaultdict[Series, Histogram] = defaultdict(Histogram)
        for histograms in every:
            for series, histogram in histograms.items():
                whole[series].add(histogram)
        return latencies_of(whole)

    def users(self, until_s: float = float("inf")) -> list[float]:
        """Users running at each second, over all workers; seconds after `until_s` may still miss a worker."""
        sums: defaultdict[int, float] = defaultdict(float)
        for of_worker in self._users.values():
            for second, users in _without_gaps(of_worker):
                sums[second] += users
        return [sums[second] for second in sorted(sums) if self.window.start_s + second + 1 <= until_s]

    def measurements(self, seconds: float | None = None, until_s: float = float("inf")) -> Measurements:
        """Everything that budgets can judge; `seconds` is how long it lasted so far, if the window has no end yet."""
        length_s = self.window.seconds if seconds is None else seconds
        latencies = self.latencies()
        return Measurements(
            seconds=length_s,
            latencies=latencies,
            gauges={"users.held": self.users(until_s), **self._gauges},
            parts=self._pages,
            queries=dict(self._queries),
            probes=(self._probes[0], self._probes[1]),
            deliveries={**_wrong_deliveries(self._deliveries, self._astray), **self._doubtful(latencies)},
            answers={name: AnswerSums(*sums) for name, sums in self._answers.items()},  # type: ignore[arg-type]
            tagged={
                tags: Measurements(seconds=length_s, latencies=latencies_of(histograms))
                for tags, histograms in sorted(self._histograms.items())
                if self._histograms.keys() != {NO_TAGS}
            },
            counters=self._counters.counted(self.window.start_s, self.window.start_s + length_s),
        )

    def _doubtful(self, latencies: Mapping[Series, Latency]) -> dict[str, dict[str, tuple[int, int]]]:
        """By metric and name: how many answers say something against themselves, of how many of a good status."""
        if not self._looked:
            return {}  # a record of before answers were looked at
        acks = {of.name: len(latency.ok) for of, latency in latencies.items() if of.kind == ACK}
        return {
            metric: {name: (self._objections[DOUBTFUL[metric], name], of) for name, of in counts.items() if of}
            for metric, counts in (("http.doubtful", self._looked_at), ("ack.doubtful", acks))
        }


def latencies_of(histograms: Mapping[Series, Histogram]) -> dict[Series, Latency]:
    empty = Histogram()
    names = sorted({Series(series.kind, series.name) for series in histograms})
    return {
        series: Latency(histograms.get(series, empty), histograms.get(series.as_failed(), empty)) for series in names
    }


def inside(start_s: float, length_s: float, window: Window) -> bool:
    """Whether the middle of an interval lies in a window: a writer that lags writes a little past the second."""
    return window.start_s <= start_s + length_s / 2 < window.end_s


def line_inside(line: Mapping[str, Any], window: Window) -> bool:
    """Whether a worker's line is of a window; a line stands at the end of its interval."""
    length_s = line.get("dt", 1.0)
    return inside(line["t"] - length_s, length_s, window)


def delivery_totals(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    """The bookkeeping of each event, summed over lines."""
    totals: dict[str, list[int]] = {}
    for line in lines:
        add_deliveries(totals, line)
        add_deliveries(totals, line, "drained")
    return totals


def add_deliveries(totals: dict[str, list[int]], line: Mapping[str, Any], key: str = "deliveries") -> None:
    """Add the bookkeeping in one line to that of each event; `drained` is that of after the end."""
    _add_sums(totals, line.get(key, {}))


_Number = TypeVar("_Number", int, float)


def _add_sums(totals: dict[str, list[_Number]], more: Mapping[str, Sequence[_Number]]) -> None:
    for name, values in more.items():
        sums = totals.get(name)
        totals[name] = list(map(add, sums, values)) if sums else list(values)


def _wrong_deliveries(
    totals: Mapping[str, Sequence[int]], astray: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, tuple[int, int]]]:
    """By metric and event: how many messages went wrong, of how many expected."""
    wrong = {
        metric: {event: (counts[at], counts[1]) for event, counts in totals.items()}
        for metric, at in _WRONG_DELIVERIES.items()
    }
    return {**wrong, "delivery.astray": {event: (sum(astray.get(event, ())), of[1]) for event, of in totals.items()}}


def _without_gaps(users: Mapping[int, float]) -> Iterator[tuple[int, float]]:
    """Each second between the first and the last; a worker that wrote a line late did not lose its users."""
    held = 0.0
    for second in range(min(users, default=0), max(users, default=-1) + 1):
        held = users.get(second, held)
        yield second, held


def _seconds_of(line: Mapping[str, Any], window: Window) -> range:
    """Which seconds of a window, counted from 0, have their middle in the time of a worker's line.

    So every worker answers for every second, wherever in it its lines begin; a window of less has its own middle.
    """
    if not (math.isfinite(window.start_s) and window.seconds):
        return range(0)
    half_s = min(window.seconds, 1.0) / 2
    end_s = line["t"] - window.start_s - half_s
    begin_s = end_s - line.get("dt", 1.0) - _ROUNDED_S
    last = math.ceil(window.seconds - half_s) - 1 if math.isfinite(window.seconds) else math.inf
    return range(max(math.floor(begin_s) + 1, 0), int(min(math.floor(end_s), max(last, 0))) + 1)
