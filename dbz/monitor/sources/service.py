"""Asking a service how it is: its health path, its own figures, and what it tells of requests, queries and caches."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedTarget
from dbz.hosts import is_loopback
from dbz.measure.latency.buckets import Buckets
from dbz.monitor.sources.reading import SourceReading
from dbz.targets.caches import CACHE_NAMES, CacheCounts, lookups_between, read_caches
from dbz.targets.exposition import read_page
from dbz.targets.probing import address_of, ask_url
from dbz.targets.requests import REQUEST_NAMES, RequestCounts, RequestFigures, requests_between, requests_of
from dbz.targets.watch import PageReading, TargetWatch, TroubleError

DEADLINE_S = 5.0
"""How long a whole answer may take: one that is slow still tells figures, among them how slow it is."""
_NOT_FOUND = 404
_KEYS = {
    Watched.CPU: "cpu_share",
    Watched.CONNECTIONS: "connections",
    Watched.EVENT_LOOP_LAG: "event_loop_lag_ms",
}
_DETAILS = ("memory_bytes", "active_requests")
_NAMES = REQUEST_NAMES | CACHE_NAMES


@dataclass(frozen=True)
class _Counts:
    """What an instance had counted at a moment of the monotonic clock."""

    at_s: float
    requests: RequestCounts | None
    caches: CacheCounts | None


class TargetSource:
    """Asks one service again and again."""

    def __init__(self, target: WatchedTarget) -> None:
        self.name = target.name
        self._target = target
        self._watch: TargetWatch | None = TargetWatch(
            target.url, target.metrics, PageReading(deadline_s=DEADLINE_S, too=True)
        )
        self._before: dict[int, _Counts] = {}
        self._has_path = "health" in target.model_fields_set
        own = is_loopback(urlsplit(target.url).hostname or "")
        self._memory_limit = target.memory_limit or (psutil.virtual_memory().total if own else None)

    async def look(self) -> SourceReading:
        """How it is."""
        reading = SourceReading()
        await asyncio.gather(self._ask_health(reading), self._ask_figures(reading))
        return reading

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _ask_health(self, reading: SourceReading) -> None:
        """A path that the file names must be there, and one that has answered once must stay; else 404 means none."""
        began_s = time.monotonic()
        answer = await ask_url(address_of(self._target.url, self._target.health), deadline_s=DEADLINE_S)
        reading.health = f"HTTP {answer.status}" if answer.status else answer.trouble
        found = answer.status not in (0, _NOT_FOUND)
        self._has_path = self._has_path or found
        if self._has_path or not answer.status:
            reading.up = found and answer.status < 500
        if found:
            reading.figures[Watched.PROBE_TIME] = (time.monotonic() - began_s) * 1000

    async def _ask_figures(self, reading: SourceReading) -> None:
        if self._watch is None:
            return
        try:
            line = await self._watch.look()
        except (TroubleError, OSError, ValueError) as error:
            line = {"metrics_trouble": str(error)}
        pages = self._watch.pages
        if line is None and not any(pages):
            self._watch = None  # it tells nothing, and never will
            return
        self._read_line(line or {}, reading)
        self._read_counts(await asyncio.to_thread(_counts_of, pages), reading)

    def _read_line(self, line: Mapping[str, Any], reading: SourceReading) -> None:
        reading.trouble = str(line.get("metrics_trouble", ""))
        reading.details |= {key: line[key] for key in _DETAILS if line.get(key) is not None}
        memory_bytes = line.get("memory_bytes")
        if memory_bytes is not None and self._memory_limit:
            reading.figures[Watched.MEMORY] = memory_bytes / self._memory_limit
        reading.figures |= {watched: float(line[key]) for watched, key in _KEYS.items() if line.get(key) is not None}
        queries = Buckets()
        for query in line.get("queries", {}).values():
            queries.add({float(bound): count for bound, count in query["counts"].items()}, query["sum_s"])
        if queries.count:
            reading.figures[Watched.QUERY_TIME] = queries.mean_ms()
            reading.figures[Watched.P95_QUERY_TIME] = percentile_ms(queries, 95)

    def _read_counts(self, counts: Sequence[_Counts | None], reading: SourceReading) -> None:
        """All instances together: their rates add up, their means and errors are weighted by them."""
        pairs = [(self._before[at], now) for at, now in enumerate(counts) if now is not None and at in self._before]
        self._before = {at: now for at, now in enumerate(counts) if now is not None}
        requests = [
            requests_between(before.requests, now.requests, now.at_s - before.at_s)
            for before, now in pairs
            if before.requests is not None and now.requests is not None
        ]
        if requests:
            reading.figures |= _of_requests(requests)
            durations = _durations_of(requests)
            reading.durations = durations if durations.counts else None
        lookups = [
            lookups_between(before.caches, now.caches)
            for before, now in pairs
            if before.caches is not None and now.caches is not None
        ]
        hits, asked = sum(hits for hits, _ in lookups), sum(asked for _, asked in lookups)
        if asked > 0:
            reading.figures[Watched.HIT_RATIO] = min(hits / asked, 1.0)


def _counts_of(pages: Sequence[bytes]) -> list[_Counts | None]:
    """What each instance has counted; None where it does not tell."""
    now_s = time.monotonic()
    read = [read_page(page, _NAMES.__contains__) if page else None for page in pages]
    counts = [_Counts(now_s, requests_of(page), read_caches(page)) if page is not None else None for page in read]
    return [one if one is not None and (one.requests or one.caches) else None for one in counts]


def _of_requests(instances: Sequence[RequestFigures]) -> dict[Watched, float]:
    answered = took_ms = failed = timed = told = 0.0
    durations = _durations_of(instances)
    for one in instances:
        answered += one.per_s
        if one.mean_ms is not None:
            took_ms, timed = took_ms + one.mean_ms * one.per_s, timed + one.per_s
        if one.error_rate is not None:
            failed, told = failed + one.error_rate * one.per_s, told + one.per_s
    figures = {Watched.REQUESTS: answered}
    if timed:
        figures[Watched.RESPONSE_TIME] = took_ms / timed
    if told:
        figures[Watched.ERROR_RATE] = failed / told
    if durations.count:
        figures[Watched.P95_RESPONSE_TIME] = percentile_ms(durations, 95)
        figures[Watched.PEAK_RESPONSE_TIME] = percentile_ms(durations, 100)
    return figures


def _durations_of(instances: Iterable[RequestFigures]) -> Buckets:
    durations = Buckets()
    for one in instances:
        durations.add(one.durations.counts, 0.0)
    return durations


def percentile_ms(durations: Buckets, percent: float) -> float:
    """A percentile of durations; beyond the last bound of their buckets that bound, which it is at least.

    The peak, 100, is the bound of the slowest bucket: at most so much.
    """
    value = durations.percentile_ms(percent)
    if math.isinf(value):
        return max((bound for bound in durations.counts if math.isfinite(bound)), default=0.0) * 1000
    return value
