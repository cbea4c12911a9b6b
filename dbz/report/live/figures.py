"""The figures of a run that is still going on, kept up to date at a cost that does not grow with the run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
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
from dbz.runs.reading import Record
from dbz.runs.record import END, STEADY
from dbz.runs.schema import Window

RECENT_S = 10


_PROBE = frozenset(("t", "health", "up", "probe"))
"""What a line about the target holds that is a probe of it."""


class LiveFigures:
    """Follows a record: each `update` takes in what is new in it."""

    def __init__(self, budgets: Sequence[Budget] = ()) -> None:
        self._budgets = budgets
        self._marks: dict[str, float] = {}
        self._restart()
        self.verdicts: list[Verdict] = []
        """The budgets over the judged part so far."""

    def _restart(self) -> None:
        window = Window(start_s=self._marks.get(STEADY, math.inf), end_s=self._marks.get(END, math.inf))
        self._judged = Fold(window)
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
        if record.marks != self._marks:
            # What came in before a mark was read may lie on its other side.
            self._marks = dict(record.marks)
            self._restart()
        for interval in self._new("intervals", record.intervals):
            self._judged.add_interval(interval)
            self._add_recent(interval)
        for worker, lines in record.workers.items():
            for line in self._new(worker, lines):
                self.last_lines[worker] = line
                self._judged.add_line(worker, line)
                self._counters.add(line)
        for line in self._new("server", record.server):
            self._add_server(line)
            self._judged.add_server(line)
        changed, self.last_s = self.last_s != record.last_s, record.last_s
        self._forget()
        if changed and self.steady:
            self.verdicts = judge(self._budgets, self._measurements())

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

    def _new(self, name: str, rows: Sequence[Any]) -> Iterable[Any]:
        seen, self._seen[name] = self._seen[name], len(rows)
        return rows[seen:]

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
