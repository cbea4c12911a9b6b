"""What /metrics says: this process's figures, those of its siblings through Redis, and the processes themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.server.histogram import Counters, Histograms

_PUBLISH_S = 1.0
_KEEP_S = 5


class Figures:
    """All counters and histograms of one process, or of several added up."""

    def __init__(self) -> None:
        self.http_requests = Counters("dbz_http_requests", "HTTP requests answered.", ("method", "route", "status"))
        self.http_durations = Histograms("dbz_http_request_duration_seconds", "Time to answer.", ("route",))
        self.query_durations = Histograms("dbz_query_duration_seconds", "Time of a named query.", ("name",))
        self.query_errors = Counters("dbz_query_errors", "Queries that failed.", ("name",))
        self.query_slow = Counters("dbz_query_slow", "Queries slower than the limit.", ("name",))
        self.cache_requests = Counters("dbz_cache_requests", "Keys asked for.", ("layer", "outcome"))
        self.events = Counters("dbz_socket_events", "Real-time events received.", ("event", "outcome"))
        self.deliveries = Counters("dbz_socket_deliveries", "Packets handed to sockets.", ("event",))
        self.connections = 0

    def families(self) -> dict[str, Counters | Histograms]:
        """Every counter and histogram by its name."""
        return {family.name: family for family in vars(self).values() if isinstance(family, Counters | Histograms)}

    def dump(self) -> bytes:
        """The state as JSON, for another process to merge."""
        rows = {name: family.dump() for name, family in self.families().items()}
        return orjson.dumps({"connections": self.connections, "families": rows})

    def merge(self, dumped: bytes) -> None:
        """Add what another process dumped."""
        data = orjson.loads(dumped)
        self.connections += data["connections"]
        mine = self.families()
        for name, rows in data["families"].items():
            if name in mine:
                mine[name].merge(rows)

    def collect(self) -> Iterator[Metric]:
        """The Prometheus metrics."""
        for family in self.families().values():
            yield from family.collect()
        yield GaugeMetricFamily("dbz_socket_connections", "Open real-time connections.", value=self.connections)


class Metrics:
    """Publishes this process's figures every second and renders those of all processes of one server.

    `family` is the server's name in Redis: processes of the same supervisor share it.
    """

    def __init__(self, redis: Redis, family: str, processes: int, refresh: Callable[[Figures], None]) -> None:
        self.figures = Figures()
        self._redis = redis
        self._prefix = f"metrics:{family}:"
        self._processes = processes
        self._refresh = refresh

    async def publish_forever(self) -> None:
        """Keep this process's figures in Redis; a Redis that is away only makes the others' figures stale."""
        name = f"{self._prefix}{os.getpid()}"
        while self._processes > 1:
            self._refresh(self.figures)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._redis.set(name, self.figures.dump(), ex=_KEEP_S)
            await asyncio.sleep(_PUBLISH_S)

    async def render(self) -> bytes:
        """The text of /metrics."""
        total = Figures()
        self._refresh(self.figures)
        total.merge(self.figures.dump())
        for dumped in await self._siblings():
            total.merge(dumped)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Source(total))
        registry.register(_Source(_Processes(self._processes)))
        return generate_latest(registry)

    async def _siblings(self) -> list[bytes]:
        if self._processes == 1:
            return []
        own = f"{self._prefix}{os.getpid()}"
        names = [f"{self._prefix}{pid}" for pid in _worker_pids() if f"{self._prefix}{pid}" != own]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            dumps: list[Any] = await self._redis.mget(names) if names else []
            return [dumped for dumped in dumps if dumped]
        return []


class _Source:
    """Adapts an object with `collect` to prometheus-client's registry."""

    def __init__(self, source: Any) -> None:
        self.collect = source.collect


class _Processes:
    """CPU and memory of the supervisor and its workers, read from the operating system."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily("dbz_process_cpu_seconds", "CPU time used.", labels=["pid"])
        memory = GaugeMetricFamily("dbz_process_resident_memory_bytes", "Resident memory.", labels=["pid"])
        for process in _server_processes():
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                cpu.add_metric([str(process.pid)], times.user + times.system)
                memory.add_metric([str(process.pid)], process.memory_info().rss)
        yield cpu
        yield memory
        yield GaugeMetricFamily("dbz_server_cores", "Cores given to the server.", value=self._workers)


def _server_processes() -> list[psutil.Process]:
    try:
        supervisor = psutil.Process(os.getppid())
        return [supervisor, *supervisor.children()]
    except psutil.Error:
        return [psutil.Process()]


def _worker_pids() -> list[int]:
    return [process.pid for process in _server_processes()[1:]]
