"""From a record and a window to figures: measurements for the budgets, operations, errors, deliveries, health."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Cut
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.buckets import Buckets
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import COMPOSITE, GENERATOR, HTTP, REQUEST_KINDS, UNFINISHED, Series
from dbz.runs.reading import Record
from dbz.runs.schema import Deliveries, ErrorGroup, Generator, LatencyFigures, Operation, Server, Window

LAG = Series(GENERATOR, "lag")
COLLECTIONS = Series(GENERATOR, "gc")


MAX_BLOCKS = 60
"""Into how many stretches of time a window is cut at most, to see how much the samples belong together."""

SERVER_GAUGES = {"server.cpu": "cpu_share", "server.memory": "memory_bytes", "server.connections": "connections"}
"""Metrics, and what the lines of `server.jsonl` call them."""
_WRONG_DELIVERIES = {"delivery.lost": 3, "delivery.duplicated": 4, "delivery.out_of_order": 5}
"""Metrics, and where their counts stand in the bookkeeping of an event; `expected` stands at 1."""


def measurements(record: Record, window: Window) -> Measurements:
    """Everything that budgets can judge in a window of the record."""
    probes = [line["up"] for line in _server_lines(record, window) if "up" in line]
    lines = (line for of_worker in record.workers.values() for line in _inside(of_worker, window))
    gauges = {metric: _server_values(record, window, key) for metric, key in SERVER_GAUGES.items()}
    return Measurements(
        seconds=window.seconds,
        latencies=latencies(record, window),
        gauges={"users.held": users_by_second(record, window), **gauges},
        queries=_queries(record, window),
        probes=(sum(probes), len(probes)),
        deliveries=wrong_deliveries(_delivery_totals(lines)),
        blocks=blocks(record, window),
    )


def wrong_deliveries(totals: Mapping[str, Sequence[int]]) -> dict[str, dict[str, tuple[int, int]]]:
    """By metric and event: how many messages went wrong, of how many expected; from the bookkeeping of each event."""
    return {
        metric: {event: (counts[at], counts[1]) for event, counts in totals.items()}
        for metric, at in _WRONG_DELIVERIES.items()
    }


def blocks(record: Record, window: Window) -> list[dict[Series, Latency]]:
    """The latencies of equal stretches of whole seconds; without what is left over at the end."""
    length_s = max(1, math.ceil(window.seconds / MAX_BLOCKS))
    found: list[dict[Series, Latency]] = [{} for _ in range(int(window.seconds / length_s + 1e-9))]
    for interval in record.intervals:
        at = math.floor((interval.start_s + interval.length_s / 2 - window.start_s) / length_s)
        if 0 <= at < len(found):
            of = Series(interval.series.kind, interval.series.name)
            latency = found[at].setdefault(of, Latency(Histogram(), Histogram()))
            (latency.failed if interval.series.failed else latency.ok).add(interval.histogram)
    return found


def latencies(record: Record, window: Window) -> dict[Series, Latency]:
    """Successes and failures of each series in a window; requests that the end of the run cut off are failures."""
    parts: defaultdict[Series, Histogram] = defaultdict(Histogram)
    for interval in record.intervals:
        if inside(interval.start_s, interval.length_s, window):
            parts[interval.series].add(interval.histogram)
        elif interval.series.kind == UNFINISHED and window.seconds:
            parts[Series(HTTP, interval.series.name, failed=True)].add(interval.histogram)
    names = {Series(series.kind, series.name) for series in parts}
    empty = Histogram()
    return {series: Latency(parts.get(series, empty), parts.get(series.as_failed(), empty)) for series in sorted(names)}


def inside(start_s: float, length_s: float, window: Window) -> bool:
    """Whether the middle of an interval lies in a window: a writer that lags writes a little past the second."""
    return window.start_s <= start_s + length_s / 2 < window.end_s


def cut_of(record: Record, window: Window) -> Cut:
    """How a window of a record is cut. A stretch that the end of the run made shorter is left out."""

    def cut(after_s: float, length_s: float | None) -> list[Measurements]:
        rest = Window(start_s=min(window.start_s + after_s, window.end_s), end_s=window.end_s)
        if length_s is None:
            return [measurements(record, rest)]
        starts = [rest.start_s + at * length_s for at in range(int(rest.seconds / length_s + 1e-9))]
        parts = [Window(start_s=start, end_s=start + length_s) for start in starts]
        return [measurements(some, part) for some, part in zip(_split(record, parts), parts, strict=True)]

    return cut


def _split(record: Record, parts: Sequence[Window]) -> list[Record]:
    """Records with the intervals of each part only, so that each interval is looked at once."""
    intervals: list[list[Interval]] = [[] for _ in parts]
    for interval in record.intervals if parts else ():
        middle_s = interval.start_s + interval.length_s / 2
        at = math.floor((middle_s - parts[0].start_s) / parts[0].seconds)
        # What the end of the run cut off was still waiting in its last part.
        at = len(parts) - 1 if interval.series.kind == UNFINISHED else at
        if 0 <= at < len(parts):
            intervals[at].append(interval)
    return [replace(record, intervals=some) for some in intervals]


def operations(found: Measurements) -> list[Operation]:
    """One row for each series of attempts, and for each composite of them."""
    return [
        Operation(
            name=series.name,
            kind=series.kind,
            count=latency.count,
            errors=latency.errors,
            rate_per_s=latency.count / found.seconds if found.seconds else 0.0,
            latency_ms=latency_figures(latency),
        )
        for series, latency in found.latencies.items()
        if series.kind in (*REQUEST_KINDS, COMPOSITE) and latency.count
    ]


def latency_figures(latency: Latency) -> LatencyFigures:
    """The figures that reports print; infinite ones become null."""
    percentiles = {name: finite(latency.percentile_ms(percent)) for name, percent in _PERCENTILES.items()}
    return LatencyFigures(mean=finite(latency.mean_ms()), max=finite(latency.max_ms), **percentiles)


_PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p999": 99.9}


def finite(value: float) -> float | None:
    """The value rounded for a file, or None when it is infinite."""
    return None if math.isinf(value) else round(value, 4)


def error_groups(record: Record) -> list[ErrorGroup]:
    """Equal errors of one operation together, the most frequent first, over the whole run."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for line in _worker_lines(record):
        for kind, operation, error, count in line.get("errors", ()):
            group = groups.setdefault((kind, operation, error), [0, line["t"], line["t"]])
            group[0] += count
            group[1:] = [min(group[1], line["t"]), max(group[2], line["t"])]
    rows = [
        ErrorGroup(kind=kind, operation=operation, error=error, count=int(count), first_s=first, last_s=last)
        for (kind, operation, error), (count, first, last) in groups.items()
    ]
    return sorted(rows, key=lambda group: (-group.count, group.kind, group.operation, group.error))


def deliveries(record: Record) -> list[Deliveries]:
    """The bookkeeping of each delivered event, over the whole run: a message outlives the second it was sent in."""
    fields = ("sent", "expected", "delivered", "lost", "duplicated", "out_of_order")
    return [
        Deliveries(event=event, **dict(zip(fields, counts, strict=True)))
        for event, counts in sorted(_delivery_totals(_worker_lines(record)).items())
    ]


def _delivery_totals(lines: Iterable[dict[str, Any]]) -> dict[str, list[int]]:
    totals: dict[str, list[int]] = {}
    for line in lines:
        for event, counts in line.get("deliveries", {}).items():
            sums = totals.setdefault(event, [0] * len(counts))
            totals[event] = [total + count for total, count in zip(sums, counts, strict=True)]
    return totals


def generator_health(record: Record, window: Window, found: Measurements, lost_workers: int) -> Generator:
    """CPU of the busiest worker (in % of one core), event-loop lag, garbage collection, late and dropped arrivals."""
    cpu = []
    begun = late = dropped = 0
    for lines in record.workers.values():
        inside_lines = _inside(lines, window)
        begun += sum(line.get("begun", 0) for line in lines)
        late += sum(line.get("late", 0) for line in inside_lines)
        dropped += sum(line.get("dropped", 0) for line in lines)  # only known when the run has ended
        if inside_lines:
            cpu.append(sum(line["cpu_percent"] for line in inside_lines) / len(inside_lines))
    lag = found.latencies.get(LAG, Latency())
    collections = found.latencies.get(COLLECTIONS, Latency())
    worker_ms = found.seconds * 1000 * max(len(record.workers), 1)
    return Generator(
        workers=len(record.workers),
        cpu_percent=round(max(cpu, default=0.0), 1),
        lag_ms_p99=lag.percentile_ms(99),
        gc_ms_max=collections.max_ms,
        gc_percent=round(collections.mean_ms() * collections.count / worker_ms * 100, 2) if worker_ms else 0.0,
        lost_workers=lost_workers,
        begun_arrivals=begun,
        late_arrivals=late,
        dropped_arrivals=dropped,
    )


def server_figures(found: Measurements, connections: list[float]) -> Server | None:
    """What the server said of itself; None when it said nothing."""
    cpu, memory = found.gauges.get("server.cpu", ()), found.gauges.get("server.memory", ())
    if not (cpu or memory or found.queries):
        return None
    return Server(
        cpu_percent=round(100 * sum(cpu) / len(cpu), 1) if cpu else None,
        memory_bytes=max(memory) if memory else None,
        connections=max(connections, default=None),
        query_ms={
            name: {
                "count": buckets.count,
                "mean": round(buckets.mean_ms(), 3),
                "p95": finite(buckets.percentile_ms(95)),
            }
            for name, buckets in sorted(found.queries.items())
            if buckets.count
        },
    )


def server_connections(record: Record, window: Window) -> list[float]:
    """Open sockets by second, as the server counts them."""
    return _server_values(record, window, "connections")


def users_by_second(record: Record, window: Window) -> list[float]:
    """Users running at each second of a window, over all workers."""
    sums: defaultdict[int, float] = defaultdict(float)
    for lines in record.workers.values():
        inside_lines = _inside(lines, window)
        for second, users in _without_gaps({round(line["t"]): line["users"] for line in inside_lines}):
            sums[second] += users
    return [sums[second] for second in sorted(sums)]


def _without_gaps(users: Mapping[int, float]) -> Iterator[tuple[int, float]]:
    """Each second between the first and the last; a worker that wrote a line late did not lose its users."""
    held = 0.0
    for second in range(min(users, default=0), max(users, default=-1) + 1):
        held = users.get(second, held)
        yield second, held


def _inside(lines: Iterable[dict[str, Any]], window: Window) -> list[dict[str, Any]]:
    """The lines of the intervals that lie in a window; a line stands at the end of its interval."""
    return [line for line in lines if inside(line["t"] - line.get("dt", 1.0), line.get("dt", 1.0), window)]


def _worker_lines(record: Record) -> Iterator[dict[str, Any]]:
    for lines in record.workers.values():
        yield from lines


def _server_lines(record: Record, window: Window) -> Iterator[dict[str, Any]]:
    return (line for line in record.server if window.start_s <= line["t"] <= window.end_s)


def _server_values(record: Record, window: Window, key: str) -> list[float]:
    return [line[key] for line in _server_lines(record, window) if line.get(key) is not None]


def _queries(record: Record, window: Window) -> dict[str, Buckets]:
    found: defaultdict[str, Buckets] = defaultdict(Buckets)
    for line in _server_lines(record, window):
        for name, query in line.get("queries", {}).items():
            found[name].add({float(bound): count for bound, count in query["counts"].items()}, query["sum_s"])
    return dict(found)
