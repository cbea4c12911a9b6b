"""The figures of a run that is still going on, kept up to date at a cost that does not grow with the run."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.counted import Counted, CounterTally
from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Verdict, judge
from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import OPERATION_KINDS, Series
from dbz.runs.aggregate import LAG
from dbz.runs.fold import Fold
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record, Row
from dbz.runs.storage.record import END, STEADY

RECENT_S = 10
_LONG_S = 0.05
_JUDGING_SHARE = 50
"""Judging that takes longer than `_LONG_S` has a fiftieth of the time."""

_PROBE = frozenset(("t", "health", "up", "probe", "asked", "unreachable"))
"""What a line about the target holds that is a probe of it."""


class LiveFigures:
    """Follows a record: each `update` takes in what is new in it."""

    def __init__(self, budgets: Sequence[Budget] = ()) -> None:
        self._budgets = budgets
        self._marks: dict[str, float] = {}
        self._judged = Fold(Window(start_s=math.inf, end_s=math.inf))
        self.verdicts: list[Verdict] = []
        """The budgets over the judged part so far."""
        self._judge_again_s = 0.0
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._seconds: dict[int, dict[str, Latency]] = {}
        self._operations: dict[int, dict[Series, Latency]] = {}
        self._counters = CounterTally()
        self.last_lines: dict[str, dict[str, Any]] = {}
        """The newest line of each worker."""
        self.server: dict[str, Any] = {}
        """What is known of the target: its newest probe, its newest figures and where they come from."""
        self.lag = Histogram()
        """Event-loop lag of the generator over its whole run, in microseconds."""
        self.last_s = 0.0
        """Up to when there is a record, in seconds since the start of the run."""

    def update(self, record: Record) -> None:
        """Take in what was added to the record since the last call."""
        self._follow_marks(record)
        for interval in self._new(record, "intervals", record.intervals):
            self._judged.add_interval(interval)
            self._add_recent(interval)
        for worker, lines in record.workers.items():
            for line in self._new(record, worker, lines):
                self.last_lines[worker] = line
                self._judged.add_line(worker, line)
                self._counters.add(line)
        for line in self._new(record, "server", record.server):
            self._add_server(line)
            self._judged.add_server(line)
        changed, self.last_s = self.last_s != record.last_s, record.last_s
        self._forget()
        if changed and self.steady and (self.ended or self.last_s >= self._judge_again_s):
            self._judge()

    def _judge(self) -> None:
        """Judge what there is; what takes long, because the run is long, is not done each second."""
        began_s = time.thread_time()
        self.verdicts = judge(self._budgets, self._measurements())
        took_s = time.thread_time() - began_s
        self._judge_again_s = self.last_s + (_JUDGING_SHARE * took_s if took_s > _LONG_S else 0.0)

    def _follow_marks(self, record: Record) -> None:
        """Judge another window when the judged part began or ended: what came in before may lie on its other side."""
        before, self._marks = self._window, dict(record.marks)
        if self._window == before:
            return
        if self.steady and self._judged.window.start_s == self._window.start_s and record.forgotten:
            # A long run ends. What came in beyond its end, a second at most, is in no verdict but this display's.
            self._judged.window = self._window
            return
        # What a long warm-up has left behind is not judged; the rest is still there.
        self._judged = Fold(self._window)
        for interval in record.intervals[: self._seen_here(record, "intervals")]:
            self._judged.add_interval(interval)
        for worker, lines in record.workers.items():
            for line in lines[: self._seen_here(record, worker)]:
                self._judged.add_line(worker, line)
        for line in record.server[: self._seen_here(record, "server")]:
            self._judged.add_server(line)

    def _seen_here(self, record: Record, name: str) -> int:
        return max(self._seen[name] - record.forgotten[name], 0)

    @property
    def _window(self) -> Window:
        return Window(start_s=self._marks.get(STEADY, math.inf), end_s=self._marks.get(END, math.inf))

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
        kinds = [kind for kind in OPERATION_KINDS if any(kind in second for second in self._seconds.values())]
        return {kind: combined(second[kind] for second in self._seconds.values() if kind in second) for kind in kinds}

    def counters(self) -> dict[str, Counted]:
        """What the scenario counted since the start of the run, with the amounts of the last seconds."""
        return self._counters.counted(self.last_s - self.recent_s, self.last_s)

    def worst(self, most: int) -> list[tuple[Series, Latency]]:
        """The operations of the last seconds that need a look: those that fail most often first, then the slowest."""
        names = {series for second in self._operations.values() for series in second}
        found = [
            (name, combined(second[name] for second in self._operations.values() if name in second)) for name in names
        ]
        found.sort(key=lambda one: (-one[1].errors, -one[1].percentile_ms(95), one[0].name))
        return found[:most]

    def lag_ms_p99(self) -> float:
        """Event-loop lag of the generator over its whole run."""
        return self.lag.percentile_us(99) / 1000

    def _add_server(self, line: dict[str, Any]) -> None:
        """A probe replaces the probe before, and figures the figures before; where they come from stays."""
        probe = "health" in line
        stays = {key: value for key, value in self.server.items() if (key in _PROBE) is not probe or key == "sources"}
        self.server = {**stays, **line}

    def _new(self, record: Record, name: str, rows: Sequence[Row]) -> Sequence[Row]:
        seen, self._seen[name] = self._seen[name], record.count(name, rows)
        return record.since(name, rows, seen)

    def _add_recent(self, interval: Interval) -> None:
        series = interval.series
        if series == LAG:
            self.lag.add(interval.histogram)
        if series.kind in OPERATION_KINDS:
            second = round(interval.start_s)
            of_kind = self._seconds.setdefault(second, {}).setdefault(series.kind, Latency(Histogram(), Histogram()))
            named = Series(series.kind, series.name)
            of_name = self._operations.setdefault(second, {}).setdefault(named, Latency(Histogram(), Histogram()))
            for latency in (of_kind, of_name):
                (latency.failed if series.failed else latency.ok).add(interval.histogram)

    def _measurements(self) -> Measurements:
        window = self._judged.window
        complete = min((line["t"] for line in self.last_lines.values()), default=0.0)
        return self._judged.measurements(max(min(self.last_s, window.end_s) - window.start_s, 0.0), round(complete))

    def _forget(self) -> None:
        for second in [one for one in self._seconds if one < self.last_s - RECENT_S - 0.5]:
            del self._seconds[second]
            del self._operations[second]
