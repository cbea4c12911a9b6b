"""A recorded load, read as a monitor would have read the service."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from dbz.config.grammar.watched import Watched
from dbz.errors import UsageError
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP
from dbz.monitor.replay.recording import RecordedReadings
from dbz.monitor.sources.reading import SourceReading
from dbz.runs.schema import Run
from dbz.runs.storage.reading import Record
from dbz.units import format_duration

_SERVER = {Watched.CPU: "cpu_share", Watched.CONNECTIONS: "connections"}


def of_run(run: Run, record: Record, target: str, period_s: float, memory_limit: float | None) -> RecordedReadings:
    """A recording of whole periods: means, the 95th percentile of response times, of memory the most.

    `UsageError` when the older part of a long run is kept in longer spans than that.
    """
    if record.span_s > period_s:
        kept = format_duration(float(record.span_s))
        raise UsageError(
            f"{run.id} keeps its older part in spans of {kept}, longer than {format_duration(period_s)}",
            hint=f"--interval {kept.replace(' ', '')}",
            code="M006",
        )
    started = datetime.fromisoformat(run.started)
    start_s = (started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp()
    rounds = {
        number: {target: SourceReading(figures=figures)}
        for number, figures in enumerate(figures_of(record, period_s, memory_limit))
    }
    return RecordedReadings(run.id, start_s, period_s, [target], rounds=rounds)


def figures_of(record: Record, period_s: float, memory_limit: float | None) -> list[dict[Watched, float]]:
    """The figures of each whole period of a record."""
    count = math.floor(record.last_s / period_s + 1e-9)
    http = [Latency(Histogram(), Histogram()) for _ in range(count)]
    for interval in record.intervals:
        at = math.floor((interval.start_s + interval.length_s / 2) / period_s)
        if interval.series.kind == HTTP and 0 <= at < count:
            (http[at].failed if interval.series.failed else http[at].ok).add(interval.histogram)
    server: list[list[Mapping[str, object]]] = [[] for _ in range(count)]
    for line in record.server:
        at = math.floor(line["t"] / period_s)
        if 0 <= at < count:
            server[at].append(line)
    return [_of_requests(http[at], period_s) | _of_server(server[at], memory_limit) for at in range(count)]


def _of_requests(latency: Latency, period_s: float) -> dict[Watched, float]:
    figures = {Watched.REQUESTS: latency.count / period_s}
    if latency.count:
        figures[Watched.ERROR_RATE] = latency.error_rate
        times = {Watched.RESPONSE_TIME: latency.mean_ms(), Watched.P95_RESPONSE_TIME: latency.percentile_ms(95)}
        figures |= {metric: value for metric, value in times.items() if math.isfinite(value)}
    return figures


def _of_server(lines: Iterable[Mapping[str, object]], memory_limit: float | None) -> dict[Watched, float]:
    figures = {}
    rows = list(lines)
    for watched, key in _SERVER.items():
        if values := _numbers(rows, key):
            figures[watched] = sum(values) / len(values)
    if memory_limit and (values := _numbers(rows, "memory_bytes")):
        figures[Watched.MEMORY] = max(values) / memory_limit
    return figures


def _numbers(rows: Iterable[Mapping[str, object]], key: str) -> list[float]:
    return [float(value) for row in rows if isinstance(value := row.get(key), int | float)]
