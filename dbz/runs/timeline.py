"""A run second by second, for charts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dbz.measure.histogram import Histogram
from dbz.measure.interval_log import Interval
from dbz.measure.series import COMPOSITE, REQUEST_KINDS
from dbz.runs.aggregate import LAG
from dbz.runs.reading import Record

PERCENTILES = (50.0, 95.0, 99.0)


@dataclass
class Timeline:
    """Parallel lists, one entry a second of the run; None where nothing was measured.

    Rates are events a second, latencies and lag milliseconds, CPU per cent, memory bytes.
    """

    seconds: list[int] = field(default_factory=list)
    users: list[float | None] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    latency_ms: dict[str, dict[float, list[float | None]]] = field(default_factory=dict)
    lag_ms: list[float | None] = field(default_factory=list)
    generator_cpu_percent: list[float | None] = field(default_factory=list)
    server_cpu_percent: list[float | None] = field(default_factory=list)
    server_memory_bytes: list[float | None] = field(default_factory=list)


def timeline(record: Record) -> Timeline:
    """The whole record, warm-up included, second by second."""
    seconds = list(range(int(record.last_s + 0.5)))
    by_second: defaultdict[int, list[Interval]] = defaultdict(list)
    for interval in record.intervals:
        by_second[round(interval.start_s)].append(interval)
    attempts = [[one for one in by_second[second] if one.series.kind in REQUEST_KINDS] for second in seconds]
    server = {int(line["t"]): line for line in record.server}
    return Timeline(
        seconds=seconds,
        users=_worker_values(record, seconds, "users", sum),
        rate=[float(sum(len(one.histogram) for one in row)) for row in attempts],
        errors=[float(sum(len(one.histogram) for one in row if one.series.failed)) for row in attempts],
        latency_ms=_latencies(by_second, seconds),
        lag_ms=[_percentile(by_second[second], lambda one: one.series == LAG, 99.0) for second in seconds],
        generator_cpu_percent=_worker_values(record, seconds, "cpu_percent", max),
        server_cpu_percent=[_scaled(server.get(second, {}).get("cpu_share"), 100) for second in seconds],
        server_memory_bytes=[_scaled(server.get(second, {}).get("memory_bytes"), 1) for second in seconds],
    )


def _latencies(
    by_second: dict[int, list[Interval]], seconds: Sequence[int]
) -> dict[str, dict[float, list[float | None]]]:
    kinds = sorted({one.series.kind for row in by_second.values() for one in row} & {*REQUEST_KINDS, COMPOSITE})
    return {
        kind: {
            percent: [_percentile(by_second[second], _successes(kind), percent) for second in seconds]
            for percent in PERCENTILES
        }
        for kind in kinds
    }


def _successes(kind: str) -> Callable[[Interval], bool]:
    return lambda one: one.series.kind == kind and not one.series.failed


def _percentile(row: Iterable[Interval], wanted: Callable[[Interval], bool], percent: float) -> float | None:
    whole = Histogram()
    for one in row:
        if wanted(one):
            whole.add(one.histogram)
    return whole.percentile_us(percent) / 1000 if whole.counts else None


def _worker_values(
    record: Record, seconds: Sequence[int], key: str, combine: Callable[[list[float]], float]
) -> list[float | None]:
    values: defaultdict[int, list[float]] = defaultdict(list)
    for lines in record.workers.values():
        for line in lines:
            values[round(line["t"]) - 1].append(line[key])
    return [combine(values[second]) if values[second] else None for second in seconds]


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
