"""Probes that play a scenario: members that do what users do, measured as a load is."""

from __future__ import annotations

import math
import time
from typing import Protocol

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedProbe
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.attempts import Latency, combined
from dbz.measure.latency.series import DELIVERY, HTTP, REQUEST_KINDS
from dbz.monitor.sources.asking import BlockingSource
from dbz.monitor.sources.reading import SourceReading

_STANDS_FOR, _STANDS_AT_LEAST_S = 2.5, 75.0
"""What was measured last stands until so many times the pause between tasks has passed; a generator that begins, as it
does every hour, has time for its first ones."""


class ProbeFigures(Protocol):
    """Something that goes on being measured."""

    def take(self) -> Measurements:
        """What was measured since the last call; `DependencyError` when nothing is."""

    def close(self) -> None:
        """End it."""


def scenario_source(probe: WatchedProbe, measured: ProbeFigures) -> BlockingSource:
    """A source for a scenario that is being played."""
    asker = _ScenarioAsker(probe.every, measured)
    return BlockingSource(probe.name, asker.ask, measured.close)


class _ScenarioAsker:
    """Most periods have no task in them: in between, what was measured last stands."""

    def __init__(self, every_s: float, measured: ProbeFigures) -> None:
        self._measured = measured
        self._stands_s = max(_STANDS_FOR * every_s, _STANDS_AT_LEAST_S)
        self._last = SourceReading(health="no task yet")
        self._began_s = self._last_s = time.monotonic()

    def ask(self) -> SourceReading:
        """How it is; `DependencyError` when the scenario cannot be played."""
        reading = reading_of(self._measured.take())
        now_s = time.monotonic()
        if reading is not None:
            self._last, self._last_s = reading, now_s
        elif now_s - self._last_s > self._stands_s:
            return SourceReading(health="no task was finished lately", trouble="no task was finished lately")
        self._last.settling = now_s - self._began_s < self._stands_s
        return self._last


def reading_of(found: Measurements) -> SourceReading | None:
    """What was measured, as figures; None when nothing was tried."""
    tried = combined(found.latencies[series] for series in found.latencies if series.kind in REQUEST_KINDS)
    counts = found.deliveries.get("delivery.lost", {}).values()
    lost, expected = sum(lost for lost, _ in counts), sum(expected for _, expected in counts)
    if not tried.count and not lost:
        return None
    reading = SourceReading(up=tried.errors < tried.count, health=f"{tried.count:,} tried, {tried.errors:,} failed")
    reading.figures[Watched.ERROR_RATE] = tried.error_rate
    http = combined(latency for series, latency in found.latencies.items() if series.kind == HTTP)
    if http.count:
        reading.figures[Watched.RESPONSE_TIME] = _known(http, http.mean_ms())
        reading.figures[Watched.P95_RESPONSE_TIME] = _known(http, http.percentile_ms(95))
    deliveries = combined(latency for series, latency in found.latencies.items() if series.kind == DELIVERY)
    if deliveries.count:
        reading.figures[Watched.ROUND_TRIP] = _known(deliveries, deliveries.percentile_ms(95))
    if lost or expected:  # one that is lost now may have been sent, and expected, in the period before
        reading.figures[Watched.LOST_MESSAGES] = lost / max(lost, expected)
        reading.details |= {"messages_expected": expected, "messages_lost": lost}
    return reading


def _known(latency: Latency, value_ms: float) -> float:
    """A time that lies in what failed is at least as long as that was waited for."""
    return value_ms if math.isfinite(value_ms) else latency.max_ms
