"""Asking a service how it is: its health path, its own figures, and what it tells of the requests that it answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psutil

from dbz.config.grammar.conditions import Watched
from dbz.config.monitor.targets import WatchedTarget
from dbz.hosts import is_loopback
from dbz.targets.probing import address_of, ask_url, follow
from dbz.targets.requests import RequestCounts, read_requests, requests_between
from dbz.targets.watch import METRICS, TargetWatch, TroubleError

_DEADLINE_S = 5.0
_NOT_FOUND = 404


@dataclass
class ServiceReading:
    """How a service was in the period before it was asked; None where it does not tell."""

    up: bool | None = None
    """Whether its health path gave a good answer; None where it has none."""
    health: str = ""
    """What it answered, or why it did not."""
    probe_ms: float | None = None
    """How long that took."""
    figures: dict[Watched, float] = field(default_factory=dict)
    """In the units of conditions: shares of one, milliseconds, counts, requests a second."""
    memory_bytes: float | None = None
    trouble: str = ""
    """Why its metrics could not be read."""

    @property
    def tells_something(self) -> bool:
        """Whether it answered at all."""
        return bool(self.figures) or bool(self.up) or self.health == f"HTTP {_NOT_FOUND}"

    def to_row(self) -> dict[str, Any]:
        """As plain data, without what is not known."""
        row = {"up": self.up, "health": self.health, "probe_ms": self.probe_ms, "memory_bytes": self.memory_bytes}
        row |= {"trouble": self.trouble or None} | {watched.value: value for watched, value in self.figures.items()}
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()
                if value is not None}  # fmt: skip


class TargetSource:
    """Asks one target again and again."""

    def __init__(self, target: WatchedTarget) -> None:
        self.target = target
        self._watch: TargetWatch | None = TargetWatch(target.url, target.metrics)
        self._pages = [address_of(target.url, place) for place in target.metrics.url or [METRICS]]
        self._before: dict[str, tuple[float, RequestCounts]] = {}
        own = is_loopback(urlsplit(target.url).hostname or "")
        self._memory_limit = target.memory_limit or (psutil.virtual_memory().total if own else None)

    async def look(self) -> ServiceReading:
        """How it is. Never raises: whatever a service answers is a reading."""
        reading = ServiceReading()
        await asyncio.gather(self._ask_health(reading), self._ask_figures(reading), self._ask_requests(reading))
        return reading

    async def _ask_health(self, reading: ServiceReading) -> None:
        began_s = time.monotonic()
        answer = await ask_url(address_of(self.target.url, self.target.health), deadline_s=_DEADLINE_S)
        reading.health = f"HTTP {answer.status}" if answer.status else answer.trouble
        if answer.status != _NOT_FOUND:
            reading.up = 0 < answer.status < 500
            reading.probe_ms = (time.monotonic() - began_s) * 1000 if answer.status else None

    async def _ask_figures(self, reading: ServiceReading) -> None:
        if self._watch is None:
            return
        try:
            line = await self._watch.look()
        except (TroubleError, OSError, ValueError) as error:
            line = {"metrics_trouble": str(error)}
        if line is None:
            self._watch = None  # it tells nothing, and never will
            return
        reading.trouble = str(line.get("metrics_trouble", ""))
        reading.memory_bytes = line.get("memory_bytes")
        if reading.memory_bytes is not None and self._memory_limit:
            reading.figures[Watched.MEMORY] = reading.memory_bytes / self._memory_limit
        for watched, key in ((Watched.CPU, "cpu_share"), (Watched.CONNECTIONS, "connections")):
            if line.get(key) is not None:
                reading.figures[watched] = float(line[key])

    async def _ask_requests(self, reading: ServiceReading) -> None:
        """All instances together: their rates add up, their means and errors are weighted by them."""
        answered = took_ms = failed = 0.0
        timed = told = 0.0
        for url in self._pages:
            answer, _ = await follow(url, deadline_s=_DEADLINE_S)
            counts = await asyncio.to_thread(read_requests, answer.body) if answer.status == 200 else None
            before, now_s = self._before.pop(url, None), time.monotonic()
            if counts is None:
                continue
            self._before[url] = now_s, counts
            if before is None:
                continue
            figures = requests_between(before[1], counts, now_s - before[0])
            answered += figures.per_s
            if figures.mean_ms is not None:
                took_ms, timed = took_ms + figures.mean_ms * figures.per_s, timed + figures.per_s
            if figures.error_rate is not None:
                failed, told = failed + figures.error_rate * figures.per_s, told + figures.per_s
            reading.figures[Watched.REQUESTS] = answered
        if timed:
            reading.figures[Watched.RESPONSE_TIME] = took_ms / timed
        if told:
            reading.figures[Watched.ERROR_RATE] = failed / told
