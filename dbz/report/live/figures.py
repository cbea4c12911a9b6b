"""The figures of a run that is still going on, kept up to date at a cost that does not grow with the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Verdict, judge
from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import COMPOSITE, REQUEST_KINDS, Series
from dbz.runs.aggregate import LAG, SERVER_GAUGES, inside, wrong_deliveries
from dbz.runs.reading import Record
from dbz.runs.record import END, STEADY
from dbz.runs.schema import Window

RECENT_S = 10
_KINDS = (*REQUEST_KINDS, COMPOSITE)


class LiveFigures:
    """Follows a record: each `update` takes in what is new in it.

    `recent` are the latencies of each kind over the last ten seconds; `users`, `generator` and `server` the newest
    lines of each; `verdicts` the budgets over the judged part so far.
    """

    def __init__(self, budgets: Sequence[Budget] = ()) -> None:
        self._budgets = budgets
        self._marks: dict[str, float] = {}
        self._restart()
        self.verdicts: list[Verdict] = []

    def _restart(self) -> None:
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._seconds: dict[int, dict[str, Latency]] = {}
        self._judged = Measurements(seconds=0)
        self._users: defaultdict[int, float] = defaultdict(float)
        self._deliveries: dict[str, list[int]] = {}
        self.last_lines: dict[str, dict[str, Any]] = {}
        self.server: dict[str, Any] = {}
        self.lag = Histogram()
        self.last_s = 0.0

    def update(self, record: Record) -> None:
        """Take in what was added to the record since the last call."""
        if record.marks.get(STEADY) != self._marks.get(STEADY):
            # What came in before the mark was read may belong to the judged part already.
            self._restart()
        self._marks = dict(record.marks)
        window = self._window(record)
        for interval in self._new("intervals", record.intervals):
            self._add_interval(interval, window)
        for worker, lines in record.workers.items():
            for line in self._new(worker, lines):
                self.last_lines[worker] = line
                if inside(line["t"] - 1, 1, window):
                    self._add_line(line)
        for line in self._new("server", record.server):
            self._add_server(line, window)
        changed, self.last_s = self.last_s != record.last_s, record.last_s
        self._forget()
        if changed and self.steady:
            self.verdicts = judge(self._budgets, self._measurements(window))

    @property
    def steady(self) -> bool:
        """Whether the judged part has begun."""
        return STEADY in self._marks

    @property
    def ended(self) -> bool:
        """Whether the judged part is over."""
        return END in self._marks

    @property
    def users(self) -> int:
        """Virtual users running now."""
        return int(sum(line["users"] for line in self.last_lines.values()))

    @property
    def generator_cpu_percent(self) -> float:
        """CPU of the busiest worker, in per cent of a core."""
        return max((line["cpu_percent"] for line in self.last_lines.values()), default=0.0)

    @property
    def recent_s(self) -> float:
        """How many seconds `recent` covers."""
        return float(min(RECENT_S, max(len(self._seconds), 1)))

    def recent(self) -> dict[str, Latency]:
        """Latency of each kind over the last seconds."""
        kinds = [kind for kind in _KINDS if any(kind in second for second in self._seconds.values())]
        return {kind: combined(second[kind] for second in self._seconds.values() if kind in second) for kind in kinds}

    def lag_ms_p99(self) -> float:
        """Event-loop lag of the generator over its whole run."""
        return self.lag.percentile_us(99) / 1000

    def _window(self, record: Record) -> Window:
        start = record.marks.get(STEADY, float("inf"))
        return Window(start_s=start, end_s=record.marks.get(END, float("inf")))

    def _new(self, name: str, rows: Sequence[Any]) -> Iterable[Any]:
        seen, self._seen[name] = self._seen[name], len(rows)
        return rows[seen:]

    def _add_interval(self, interval: Interval, window: Window) -> None:
        series = interval.series
        if series == LAG:
            self.lag.add(interval.histogram)
        if series.kind in _KINDS:
            second = self._seconds.setdefault(round(interval.start_s), {})
            _add(second.setdefault(series.kind, Latency(Histogram(), Histogram())), interval)
            if inside(interval.start_s, interval.length_s, window):
                of = Series(series.kind, series.name)
                _add(self._judged.latencies.setdefault(of, Latency(Histogram(), Histogram())), interval)

    def _add_line(self, line: dict[str, Any]) -> None:
        self._users[round(line["t"])] += line["users"]
        for event, counts in line.get("deliveries", {}).items():
            sums = self._deliveries.setdefault(event, [0] * len(counts))
            self._deliveries[event] = [total + count for total, count in zip(sums, counts, strict=True)]

    def _add_server(self, line: dict[str, Any], window: Window) -> None:
        self.server = line
        if not window.start_s <= line["t"] <= window.end_s:
            return
        answered, every = self._judged.probes
        if "up" in line:
            self._judged.probes = (answered + bool(line["up"]), every + 1)
        for metric, key in SERVER_GAUGES.items():
            if line.get(key) is not None:
                self._gauge(metric).append(line[key])
        for name, query in line.get("queries", {}).items():
            counts = {float(bound): count for bound, count in query["counts"].items()}
            self._judged.queries.setdefault(name, Buckets()).add(counts, query["sum_s"])

    def _gauge(self, name: str) -> list[float]:
        values = self._judged.gauges.setdefault(name, [])
        assert isinstance(values, list)
        return values

    def _measurements(self, window: Window) -> Measurements:
        complete = min((line["t"] for line in self.last_lines.values()), default=0.0)
        self._judged.seconds = max(min(self.last_s, window.end_s) - window.start_s, 0.0)
        self._judged.deliveries = wrong_deliveries(self._deliveries)
        self._judged.gauges["users.held"] = [users for t, users in self._users.items() if t <= round(complete)]
        return self._judged

    def _forget(self) -> None:
        for second in [one for one in self._seconds if one < self.last_s - RECENT_S - 0.5]:
            del self._seconds[second]


def _add(latency: Latency, interval: Interval) -> None:
    (latency.failed if interval.series.failed else latency.ok).add(interval.histogram)
