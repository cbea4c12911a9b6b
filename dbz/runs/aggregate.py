"""From a record and a window to figures: measurements for the budgets, operations, errors, deliveries, health."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from dbz.measure.budget.measuring import Measurements
from dbz.measure.budget.verdicts import Cut
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram, merged
from dbz.measure.latency.interval_log import Interval
from dbz.measure.latency.series import (
    AFTER_THE_END,
    DELIVERY,
    DRAINED,
    GENERATOR,
    HTTP,
    OPERATION_KINDS,
    PAGE,
    SETUP,
    UNTIMED,
    Series,
)
from dbz.measure.latency.tags import values_of
from dbz.runs.fold import DOUBTFUL, Fold, delivery_totals, latencies_of, line_inside
from dbz.runs.past.spans import block_length_s
from dbz.runs.schema import (
    AnswerMeans,
    CounterFigures,
    Deliveries,
    ErrorGroup,
    Generator,
    LatencyFigures,
    Operation,
    Server,
    ServerSource,
    Window,
)
from dbz.runs.storage.reading import Record
from dbz.runs.storage.record import END
from dbz.runs.validity import coverage
from dbz.runs.validity.coverage import Unanswered

LAG = Series(GENERATOR, "lag")
COLLECTIONS = Series(GENERATOR, "gc")


def measurements(record: Record, window: Window) -> Measurements:
    """Everything that budgets can judge in a window of the record."""
    return _measured(record, window, coverage.unanswered(record, window), coverage.silent_seconds(record, window))


def _measured(record: Record, part: Window, unanswered: Unanswered, silent: Collection[int]) -> Measurements:
    """The same for a part of it; what was not answered is known from the whole."""
    found = Fold(part).add_record(record).measurements()
    return replace(
        found,
        blocks=blocks(record.intervals, part),
        tagged={
            tags: replace(one, blocks=blocks((each for each in record.intervals if each.tags == tags), part))
            for tags, one in found.tagged.items()
        },
        probes=coverage.probes(record, part, silent),
        waiting=unanswered.within(part, to_the_end=part.end_s >= record.marks.get(END, math.inf)),
    )


def blocks(intervals: Iterable[Interval], window: Window) -> list[dict[Series, Latency]]:
    """The latencies of equal stretches of whole seconds, without what is left over at the end."""
    length_s = block_length_s(window.seconds)
    parts: list[defaultdict[Series, list[Histogram]]] = [
        defaultdict(list) for _ in range(int(window.seconds / length_s + 1e-9))
    ]
    for interval in intervals:
        at = math.floor((interval.start_s + interval.length_s / 2 - window.start_s) / length_s)
        if 0 <= at < len(parts):
            parts[at][interval.series].append(interval.histogram)
    # Sixty blocks of a hundred operations: as dictionaries they took most of the memory of a report.
    return [latencies_of({series: merged(some).pack() for series, some in part.items()}) for part in parts]


def latencies(record: Record, window: Window) -> dict[Series, Latency]:
    """Successes and failures of each series in a window; requests that the end of the run cut off are failures."""
    return Fold(window).add_record(replace(record, workers={}, server=[])).latencies()


def cut_of(record: Record, window: Window) -> Cut:
    """How a window of a record is cut. A stretch that the end of the run made shorter is left out."""
    unanswered, silent = coverage.unanswered(record, window), coverage.silent_seconds(record, window)

    def cut(after_s: float, length_s: float | None) -> list[Measurements]:
        rest = Window(start_s=min(window.start_s + after_s, window.end_s), end_s=window.end_s)
        if length_s is None:
            return [_measured(record, rest, unanswered, silent)]
        starts = [rest.start_s + at * length_s for at in range(int(rest.seconds / length_s + 1e-9))]
        parts = [Window(start_s=start, end_s=start + length_s) for start in starts]
        split = zip(_split(record, parts), parts, strict=True)
        return [_measured(some, part, unanswered, silent) for some, part in split]

    return cut


def _split(record: Record, parts: Sequence[Window]) -> list[Record]:
    """Records with the intervals of each part only, so that each interval is looked at once."""
    intervals: list[list[Interval]] = [[] for _ in parts]
    for interval in record.intervals if parts else ():
        middle_s = interval.start_s + interval.length_s / 2
        at = math.floor((middle_s - parts[0].start_s) / parts[0].seconds)
        # What the end of the run cut off, or waited for, belongs to its last part.
        at = len(parts) - 1 if interval.series.kind in AFTER_THE_END else at
        if 0 <= at < len(parts):
            intervals[at].append(interval)
    return [replace(record, intervals=some) for some in intervals]


def operations(found: Measurements) -> list[Operation]:
    """One row for each series of attempts, for each composite of them, and for what the scenario measured itself."""
    return [
        Operation(
            name=series.name,
            kind=series.kind,
            count=latency.count,
            errors=latency.errors,
            rate_per_s=latency.count / found.seconds if found.seconds else 0.0,
            latency_ms=_UNKNOWN if series.kind == UNTIMED else latency_figures(latency),
            answers=_answer_means(found, series),
            doubtful=sum(found.deliveries.get(metric, {}).get(series.name, (0,))[0] for metric in _doubts(series)),
        )
        for series, latency in found.latencies.items()
        if series.kind in OPERATION_KINDS and latency.count
    ]


def _doubts(series: Series) -> list[str]:
    """The metrics of what answers of a series say against themselves."""
    return [metric for metric, kind in DOUBTFUL.items() if kind == series.kind]


def by_label(found: Measurements, label: str) -> list[Operation]:
    """One row for each value of a label of samples and each kind of attempts, composites too."""
    rows = []
    for name in values_of(label, found.tagged):
        tagged = found.with_tags(lambda tags, name=name: getattr(tags, label) == name)  # type: ignore[misc]
        for kind in OPERATION_KINDS:
            latency = tagged.attempts((kind,))
            if latency.count and kind != UNTIMED:
                rows.append(
                    Operation(
                        name=name,
                        kind=kind,
                        count=latency.count,
                        errors=latency.errors,
                        rate_per_s=latency.count / found.seconds if found.seconds else 0.0,
                        latency_ms=latency_figures(latency),
                    )
                )
    return rows


def counters(found: Measurements) -> list[CounterFigures]:
    """What the scenario counted, by name."""
    return [
        CounterFigures(
            name=name,
            calls=one.calls,
            total=one.total,
            rate_per_s=one.total / found.seconds if found.seconds else 0.0,
        )
        for name, one in found.counters.items()
    ]


def _answer_means(found: Measurements, series: Series) -> AnswerMeans | None:
    sums = found.answers.get(series.name) if series.kind == HTTP else None
    if sums is None or sums.answers <= 0:
        return None
    parts = {name: getattr(sums, f"{name}_s") for name in ("connect", "tls", "first_byte", "body")}
    means = {f"{name}_ms": round(seconds * 1000 / sums.answers, 4) for name, seconds in parts.items()}
    return AnswerMeans(
        count=round(sums.answers),
        mean_ms=round(sums.seconds * 1000 / sums.answers, 4),
        connections=round(sums.connections),
        bytes=round(sums.bytes / sums.answers, 1),
        **means,
    )


def latency_figures(latency: Latency) -> LatencyFigures:
    """The figures that reports print; infinite ones become null."""
    percentiles = {name: finite(latency.percentile_ms(percent)) for name, percent in _PERCENTILES.items()}
    return LatencyFigures(mean=finite(latency.mean_ms()), max=finite(latency.max_ms), **percentiles)


_UNKNOWN = LatencyFigures(mean=None, p50=None, p90=None, p95=None, p99=None, p999=None, max=None)
_PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p999": 99.9}


def finite(value: float) -> float | None:
    """The value rounded for a file, small ones to four digits, or None when it is infinite."""
    if math.isinf(value):
        return None
    return round(value, 4) if abs(value) >= 0.1 else float(f"{value:.4g}")


_REPEATED = re.compile(r"^(\w+): \1(?=$|:)")
"""The name of an error that is its message too: `ConnectionLost: ConnectionLost`."""


def error_groups(record: Record, window: Window | None = None) -> list[ErrorGroup]:
    """Equal errors of one operation together, the most frequent first: those that the figures of a window count.

    Requests that the end of the run cut off were waiting in it, and are of it. Without a window: the whole run.
    """
    groups: dict[tuple[str, str, str], list[float]] = {}
    always = {SETUP, *(AFTER_THE_END if window is not None and window.seconds else ())}
    marks = ({"t": one["t"], "errors": [[one["kind"], one["name"], one["error"], 1]]} for one in record.errors)
    visits = (
        # Of the second in which it began, as its sample is.
        {"t": math.floor(one["t"]) + 1.0, "errors": [[PAGE, one["page"], one["error"], 1]]}
        for one in record.pages
        if one.get("error")
    )
    for line in chain(_worker_lines(record), marks, visits):
        within = window is None or line_inside(line, window)
        for kind, operation, message, count in line.get("errors", ()):
            if not (within or kind in always):
                continue
            error = _REPEATED.sub(r"\1", message)
            kind = DELIVERY if kind == DRAINED else kind
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
    astray = Counter[str]()
    for line in _worker_lines(record):
        astray.update({event: count for event, (count,) in line.get("astray", {}).items()})
    return [
        Deliveries(event=event, astray=astray[event], **dict(zip(fields, counts, strict=True)))
        for event, counts in sorted(delivery_totals(_worker_lines(record)).items())
    ]


def generator_health(record: Record, window: Window, found: Measurements, lost_workers: int) -> Generator:
    """CPU of the busiest worker (in % of one core), event-loop lag, garbage collection, late and dropped arrivals."""
    cpu = []
    begun = late = dropped = died = 0
    for lines in record.workers.values():
        inside_lines = _inside(lines, window)
        begun += sum(line.get("begun", 0) for line in lines)
        late += sum(line.get("late", 0) for line in inside_lines)
        dropped += sum(line.get("dropped", 0) for line in lines)  # only known when the run has ended
        died += sum(line.get("died", 0) for line in lines)
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
        died_users=died,
    )


def server_figures(
    found: Measurements, connections: list[float], sources: Mapping[str, ServerSource] | None = None
) -> Server | None:
    """What the server said of itself, or its processes showed; None when there was nothing."""
    cpu, memory = found.gauges.get("server.cpu", ()), found.gauges.get("server.memory", ())
    lag_ms, active = found.gauges.get("server.event_loop_lag", ()), found.gauges.get("server.active_requests", ())
    if not (cpu or memory or connections or lag_ms or active or found.queries):
        return None
    return Server(
        cpu_percent=round(100 * sum(cpu) / len(cpu), 1) if cpu else None,
        memory_bytes=max(memory) if memory else None,
        connections=max(connections, default=None),
        event_loop_lag_ms=max(lag_ms, default=None),
        active_requests=max(active, default=None),
        sources=dict(sources or {}),
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
    return Fold(window).add_record(replace(record, intervals=[], server=[])).users()


def _inside(lines: Iterable[dict[str, Any]], window: Window) -> list[dict[str, Any]]:
    """The lines of the intervals that lie in a window; a line stands at the end of its interval."""
    return [line for line in lines if line_inside(line, window)]


def _worker_lines(record: Record) -> Iterator[dict[str, Any]]:
    for lines in record.workers.values():
        yield from lines


def server_lines(record: Record, window: Window) -> Iterator[dict[str, Any]]:
    """The lines about the target that were written in a window."""
    return (line for line in record.server if window.start_s <= line["t"] <= window.end_s)


def _server_values(record: Record, window: Window, key: str) -> list[float]:
    return [line[key] for line in server_lines(record, window) if line.get(key) is not None]
