"""When rules would have fired: the recorded time of a load, read as a monitor would have read it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import AlertRule
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP
from dbz.monitor.rules.alerts import AlertEvent, AlertState, AlertTracker
from dbz.runs.reading import Record

_SERVER = {Watched.CPU: "cpu_share", Watched.CONNECTIONS: "connections"}


@dataclass(frozen=True)
class Firing:
    """One alert that would have been told; times are in seconds since the start of the run."""

    begin_s: float
    end_s: float | None
    """None when it was still on at the end of the run."""


@dataclass
class RuleOutcome:
    """What would have become of one rule."""

    rule: AlertRule
    readings: int = 0
    """How many periods had a value for it; without any it could not be judged."""
    worst: float | None = None
    """The value that came nearest to the limit, or went furthest beyond it."""
    firings: list[Firing] = field(default_factory=list)


def backtest(
    record: Record, rules: Sequence[AlertRule], period_s: float, memory_limit: float | None
) -> list[RuleOutcome]:
    """Follow every rule through a record, a reading for each whole period."""
    periods = list(readings_of(record, period_s, memory_limit))
    return [_follow(rule, periods, period_s) for rule in rules]


def readings_of(
    record: Record, period_s: float, memory_limit: float | None
) -> Iterator[tuple[float, Mapping[Watched, float]]]:
    """The end of each whole period, and the figures of it: means, and of memory the most."""
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
    for at in range(count):
        figures = _of_requests(http[at], period_s) | _of_server(server[at], memory_limit)
        yield (at + 1) * period_s, figures


def _of_requests(latency: Latency, period_s: float) -> dict[Watched, float]:
    figures = {Watched.REQUESTS: latency.count / period_s}
    if latency.count:
        figures[Watched.ERROR_RATE] = latency.error_rate
    mean_ms = latency.mean_ms()
    if latency.count and math.isfinite(mean_ms):
        figures[Watched.RESPONSE_TIME] = mean_ms
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


def _follow(rule: AlertRule, periods: Sequence[tuple[float, Mapping[Watched, float]]], period_s: float) -> RuleOutcome:
    tracker = AlertTracker(rule.when, period_s, resolve=rule.resolve, keep_firing_s=rule.keep_firing_for)
    outcome, upwards = RuleOutcome(rule), rule.when.op.startswith(">")
    begin_s = 0.0
    for end_s, figures in periods:
        value = figures.get(rule.when.metric)
        if value is not None:
            outcome.readings += 1
            known = value if outcome.worst is None else outcome.worst
            outcome.worst = max(known, value) if upwards else min(known, value)
        event = tracker.update(end_s, value)
        if event is AlertEvent.FIRING:
            begin_s = end_s
        elif event is AlertEvent.RESOLVED:
            outcome.firings.append(Firing(begin_s, end_s))
    if tracker.standing.state is AlertState.FIRING:
        outcome.firings.append(Firing(begin_s, None))
    return outcome
