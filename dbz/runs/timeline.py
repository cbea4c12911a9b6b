"""A run step by step, for charts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbz.measure.latency.histogram import Histogram, merged
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import DELIVERY, OPERATION_KINDS, REQUEST_KINDS, UNTIMED
from dbz.runs.aggregate import LAG
from dbz.runs.storage.reading import Record

PERCENTILES = (50.0, 95.0, 99.0)
_SHORTEST_S = 0.5
"""Less is no second."""

Values = list[float | None]
"""One entry a step; None where nothing was measured."""


@dataclass
class Timeline:
    """Parallel lists, one entry a step of the run; None where nothing was measured."""

    step_s: int = 1
    seconds: list[int] = field(default_factory=list)
    """When each step begins."""
    users: Values = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    """Attempts a second, failed ones included, composites and what the scenario measured not."""
    errors: list[float] = field(default_factory=list)
    """Failed attempts a second."""
    rate_by_kind: dict[str, list[float]] = field(default_factory=dict)
    """The same as `rate` for each kind of operation, composites too."""
    latency_ms: dict[str, dict[float, Values]] = field(default_factory=dict)
    """By kind and percentile, of successes."""
    delivery_ms: dict[str, dict[float, Values]] = field(default_factory=dict)
    """By event and percentile, of successes."""
    lag_ms: Values = field(default_factory=list)
    """The 99th percentile of the lag of the generator's event loops."""
    generator_cpu_percent: Values = field(default_factory=list)
    server_cpu_percent: Values = field(default_factory=list)
    server_memory_bytes: Values = field(default_factory=list)
    server_connections: Values = field(default_factory=list)
    server_lag_ms: Values = field(default_factory=list)


def timeline(record: Record, step_s: int = 1) -> Timeline:
    """The whole record, warm-up included, in steps of whole seconds: as many as asked for, or as long as the spans are
    into which its older part was put together."""
    step_s = max(step_s, record.span_s)
    record = _without_rest(record)
    slots = -(-round(record.last_s) // step_s)
    found = _merged(record.intervals, slots, step_s)
    kinds = [kind for kind in OPERATION_KINDS if any((kind, failed) in found for failed in (False, True))]
    counts = _counts(record.intervals, slots, step_s)
    rates = {kind: _rates(counts, [(kind, False), (kind, True)], slots, step_s) for kind in kinds}
    workers = _by_second(record)
    timed = [kind for kind in kinds if kind != UNTIMED]
    requests = [rates[kind] for kind in kinds if kind in REQUEST_KINDS]
    return Timeline(
        step_s=step_s,
        seconds=[slot * step_s for slot in range(slots)],
        users=_in_steps(((t, sum(line["users"] for line in lines)) for t, lines in workers), slots, step_s, _mean),
        rate=[sum(row) for row in zip(*requests, strict=True)] or [0.0] * slots,
        errors=_rates(counts, [(kind, True) for kind in REQUEST_KINDS], slots, step_s),
        rate_by_kind=rates,
        latency_ms={kind: _percentiles(found[kind, False], slots) for kind in timed if (kind, False) in found},
        delivery_ms=_deliveries(record, slots, step_s),
        lag_ms=_percentile(found.get((LAG.kind, False), {}), slots, 99.0),
        generator_cpu_percent=_in_steps(
            ((t, max(line["cpu_percent"] for line in lines)) for t, lines in workers), slots, step_s, _mean
        ),
        server_cpu_percent=_server(record, "cpu_share", 100, slots, step_s, _mean),
        server_memory_bytes=_server(record, "memory_bytes", 1, slots, step_s, max),
        server_connections=_server(record, "connections", 1, slots, step_s, max),
        server_lag_ms=_server(record, "event_loop_lag_ms", 1, slots, step_s, max),
    )


def _without_rest(record: Record) -> Record:
    """The record without the part of a second in which a load ends.

    Its few attempts belong to no whole second: they would be added to the one before, and look like a peak.
    """
    return replace(
        record,
        intervals=[one for one in record.intervals if one.length_s >= _SHORTEST_S],
        workers={
            worker: [line for line in lines if line.get("dt", 1.0) >= _SHORTEST_S]
            for worker, lines in record.workers.items()
        },
    )


Merged = Mapping[tuple[str, bool], Mapping[int, Histogram]]


def _merged(intervals: Iterable[Interval], slots: int, step_s: int) -> Merged:
    """One histogram for each kind, outcome and step."""
    parts: defaultdict[tuple[str, bool], defaultdict[int, list[Histogram]]] = defaultdict(lambda: defaultdict(list))
    for interval in intervals:
        second = interval.start_s + interval.length_s / 2 if interval.merged else _last_second(interval)
        slot = int(second // step_s)
        if slot < slots:
            series = interval.series
            parts[series.kind, series.failed][slot].append(interval.histogram)
    return {key: {slot: merged(some).pack() for slot, some in by_slot.items()} for key, by_slot in parts.items()}


def _deliveries(record: Record, slots: int, step_s: int) -> dict[str, dict[float, Values]]:
    """Percentiles of each event."""
    parts: defaultdict[str, list[Interval]] = defaultdict(list)
    for interval in record.intervals:
        if interval.series.kind == DELIVERY and not interval.series.failed:
            parts[interval.series.name].append(interval)
    return {
        event: _percentiles(_merged(parts[event], slots, step_s).get((DELIVERY, False), {}), slots)
        for event in sorted(parts)
    }


Counts = defaultdict[tuple[str, bool], list[float]]


def _counts(intervals: Iterable[Interval], slots: int, step_s: int) -> Counts:
    """How many attempts of each kind and outcome ended in each step; a long interval is spread over its seconds."""
    counts: Counts = defaultdict(lambda: [0.0] * slots)
    for interval in intervals:
        last = _last_second(interval)
        first = min(round(interval.start_s), last)
        row, seconds = counts[interval.series.kind, interval.series.failed], last + 1 - first
        share = len(interval.histogram) / seconds
        for slot in range(first // step_s, min(last // step_s + 1, slots)):
            row[slot] += share * (min((slot + 1) * step_s, last + 1) - max(slot * step_s, first))
    return counts


def _last_second(interval: Interval) -> int:
    return max(round(interval.start_s + interval.length_s) - 1, 0)


def _rates(counts: Counts, wanted: Sequence[tuple[str, bool]], slots: int, step_s: int) -> list[float]:
    parts = [counts[key] for key in wanted if key in counts]
    return [sum(part[slot] for part in parts) / step_s for slot in range(slots)]


def _percentiles(steps: Mapping[int, Histogram], slots: int) -> dict[float, Values]:
    return {percent: _percentile(steps, slots, percent) for percent in PERCENTILES}


def _percentile(steps: Mapping[int, Histogram], slots: int, percent: float) -> Values:
    return [steps[slot].percentile_us(percent) / 1000 if slot in steps else None for slot in range(slots)]


def _by_second(record: Record) -> list[tuple[int, list[dict[str, float]]]]:
    """The lines of all workers by the second that they end."""
    rows: defaultdict[int, dict[str, dict[str, float]]] = defaultdict(dict)
    for worker, lines in record.workers.items():
        for line in lines:
            rows[math.floor(line["t"] - line.get("dt", 1.0) / 2)][worker] = line  # the last of several in a second
    return [(second, list(of_worker.values())) for second, of_worker in sorted(rows.items())]


def _server(
    record: Record, key: str, factor: float, slots: int, step_s: int, combine: Callable[[list[float]], float]
) -> Values:
    found: Iterator[tuple[int, float]] = (
        (int(line["t"]), line[key] * factor) for line in record.server if line.get(key) is not None
    )
    return _in_steps(found, slots, step_s, combine)


def _in_steps(
    values: Iterable[tuple[int, float]], slots: int, step_s: int, combine: Callable[[list[float]], float]
) -> Values:
    rows: defaultdict[int, list[float]] = defaultdict(list)
    for second, value in values:
        rows[second // step_s].append(value)
    return [combine(rows[slot]) if slot in rows else None for slot in range(slots)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
