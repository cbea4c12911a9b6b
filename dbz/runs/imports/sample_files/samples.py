"""Samples of a file, one after the other, put into histograms by what they are of."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import HIGHEST_US, Histogram
from dbz.measure.latency.series import Series
from dbz.runs.imports.imported import MOST, Imported

_MOST_SERIES = 20_000


class FileSamples:
    """What was taken in of one file; `names` is what its tool calls that by which samples are told apart."""

    def __init__(self, path: Path, names: str) -> None:
        self._path, self._names = path, names
        self._latencies: dict[Series, Latency] = {}
        self._first_ms, self._last_ms = math.inf, -math.inf

    def add(self, series: Series, begun_ms: float, elapsed_ms: float, failed: bool, where: str) -> None:
        """Take a sample in, with the time since 1970 at which it began; `UsageError` names `where` it is no sample."""
        if not (0 <= begun_ms <= MOST and 0 <= elapsed_ms <= MOST):
            raise UsageError(f"{where}: when a sample began and how long it took should be times", code="R004")
        self._first_ms, self._last_ms = min(self._first_ms, begun_ms), max(self._last_ms, begun_ms + elapsed_ms)
        latency = self._latencies.setdefault(series, Latency(Histogram(), Histogram()))
        if len(self._latencies) > _MOST_SERIES:
            raise UsageError(f"{self._path} has more than {_MOST_SERIES:,} {self._names}", code="R004")
        (latency.failed if failed else latency.ok).record(min(round(elapsed_ms * 1000), HIGHEST_US))

    def imported(self, tool: str, note: str) -> Imported:
        """All that was taken in, and how long that took."""
        seconds = max(self._last_ms - self._first_ms, 0.0) / 1000 if self._latencies else 0.0
        return Imported(tool, latencies=self._latencies, seconds=seconds, notes=[note])


def rfc3339_s(text: Any) -> float:
    """A time of RFC 3339 with nanoseconds, of which Python reads six digits, as seconds since the epoch."""
    head, point, rest = str(text).partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    zone = rest[len(digits) :] if point else ""
    return datetime.fromisoformat(f"{head}.{digits[:6]}{zone}" if point else head).timestamp()
