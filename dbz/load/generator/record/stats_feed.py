"""Locust's own statistics of what our users do, so that listeners and plug-ins that read `environment.stats` see them.

Locust counts each request as its event fires, at some microseconds apiece. What our users did is in histograms already,
so their statistics are brought up to date once a second, and before listeners look at the end of a run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from locust.stats import StatsEntry, StatsError, bucket_response_time

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import ACK, CONNECT, HTTP, OTHER

_FED = frozenset({HTTP, CONNECT, ACK, OTHER})
"""Deliveries and user actions are no requests of Locust's: they would double its totals."""

Counts = Mapping[tuple[str, str], dict[int, int]]
"""By kind and operation: how many samples are at which position of a histogram."""


def feed(stats: Any, ok: Counts, failed: Counts, errors: Mapping[tuple[str, str, str], int]) -> None:
    """Add what was recorded since the last call to Locust's `RequestStats`."""
    total = StatsEntry(stats, "", "")
    for part, are_failures in ((ok, False), (failed, True)):
        for (kind, operation), counts in part.items():
            if kind in _FED:
                method, name = method_and_name(kind, operation)
                entry = _entry(stats, name, method, Histogram(counts), failures=are_failures)
                stats.entries[name, method].extend(entry)
                total.extend(entry)
    if total.num_requests:
        stats.total.extend(total)
    for (kind, operation, error), count in errors.items():
        if kind in _FED:
            _add_error(stats, *method_and_name(kind, operation), error, count)


def method_and_name(kind: str, operation: str) -> tuple[str, str]:
    """How Locust calls an operation: `GET` and `/posts`, or `ack` and `room:join`."""
    method, space, name = operation.partition(" ")
    return (method, name) if kind == HTTP and space else (kind, operation)


def _entry(stats: Any, name: str, method: str, histogram: Histogram, *, failures: bool) -> Any:
    entry, now_s = StatsEntry(stats, name, method), time.time()
    entry.num_requests = len(histogram)
    entry.last_request_timestamp = entry.start_time = now_s
    entry.num_reqs_per_sec[int(now_s)] = entry.num_requests
    if failures:
        entry.num_failures = entry.num_fail_per_sec[int(now_s)] = entry.num_requests
    total_ms, times_by_ms = 0.0, entry.response_times
    for low_us, high_us, times in histogram.buckets():
        middle_ms = (low_us + high_us) / 2000
        total_ms += middle_ms * times
        times_by_ms[round(middle_ms) if middle_ms < 100 else bucket_response_time(middle_ms)] += times
    entry.total_response_time = total_ms
    entry.min_response_time, entry.max_response_time = histogram.min_us / 1000, histogram.max_us / 1000
    return entry


def _add_error(stats: Any, method: str, name: str, error: str, count: int) -> None:
    entry = stats.errors.setdefault(StatsError.create_key(method, name, error), StatsError(method, name, error))
    entry.occurrences += count
    now_s = time.time()
    entry.first_seen, entry.last_seen = entry.first_seen or now_s, now_s
