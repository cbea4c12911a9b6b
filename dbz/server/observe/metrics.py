"""What /metrics says: this process's figures, those of its siblings through Redis, and the processes themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.server.observe.histogram import DELAY_BOUNDS_S, Counters, Histograms, Levels
from dbz.server.settings import Http

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
        self.refused_connections = Counters("dbz_socket_refused", "Connections turned away.", ("reason",))
        self.band_requests = Counters("dbz_band_requests", "Calls of Band.", ("call", "outcome"))
        self.foreign_collections = Counters(
            "dbz_foreign_collections", "Commands of a service on collections of others.", ("service", "collection")
        )
        self.upstream_calls = Counters(
            "dbz_upstream_calls", "Attempts to call a service.", ("service", "instance", "outcome")
        )
        self.upstream_durations = Histograms("dbz_upstream_duration_seconds", "Time of an attempt.", ("service",))
        self.upstream_retries = Counters("dbz_upstream_retries", "Attempts after a failed one.", ("service",))
        self.upstream_ejections = Counters(
            "dbz_upstream_ejections", "Instances sent away for failing more than others.", ("service", "instance")
        )
        self.breaker_opened = Counters("dbz_breaker_opened", "Circuit breakers that opened.", ("service", "instance"))
        self.breakers = Levels(
            "dbz_breaker_state", "Circuit breakers: 0 closed, 1 half-open, 2 open.", ("service", "instance")
        )
        self.band_items = Counters("dbz_band_items", "Rows taken over from Band.", ("kind", "change"))
        self.band_runs = Counters("dbz_band_runs", "Synchronisations that ended.", ("outcome",))
        self.push_outcomes = Counters(
            "dbz_push_outcomes", "Pushes and mails: sent, or why not.", ("provider", "outcome")
        )
        self.push_delays = Histograms(
            "dbz_push_delay_seconds", "From when one was due until its provider took it.", ("channel",), DELAY_BOUNDS_S
        )
        self.push_waiting = Levels("dbz_push_waiting", "Notifications that wait for their time.", ("channel",))
        self.connections = 0
        self.unauthenticated = 0

    def families(self) -> dict[str, Counters | Histograms]:
        """Every counter and histogram by its name."""
        return {family.name: family for family in vars(self).values() if isinstance(family, Counters | Histograms)}

    def dump(self) -> bytes:
        """The state as JSON, for another process to merge."""
        rows = {name: family.dump() for name, family in self.families().items()}
        return orjson.dumps(
            {"connections": self.connections, "unauthenticated": self.unauthenticated, "families": rows}
        )

    def merge(self, dumped: bytes) -> None:
        """Add what another process dumped."""
        data = orjson.loads(dumped)
        self.connections += data["connections"]
        self.unauthenticated += data["unauthenticated"]
        mine = self.families()
        for name, rows in data["families"].items():
            if name in mine:
                mine[name].merge(rows)

    def collect(self) -> Iterator[Metric]:
        """The Prometheus metrics."""
        for family in self.families().values():
            yield from family.collect()
        yield GaugeMetricFamily("dbz_socket_connections", "Open real-time connections.", value=self.connections)
        nobodys = "Open real-time connections that have not shown a valid token yet."
        yield GaugeMetricFamily("dbz_socket_unauthenticated", nobodys, value=self.unauthenticated)


class ServerMetrics:
    """Publishes this process's figures every second and renders those of all processes of one server or group.

    `family` is its name in Redis: processes of the same supervisor, or of all servers of a group, share it. A group's
    members are known by what they have published lately.
    """

    def __init__(self, redis: Redis, http: Http, family: str, refresh: Callable[[Figures], None]) -> None:
        self.figures = Figures()
        self._redis = redis
        self._prefix = f"metrics:{family}:"
        self._members = f"metrics-members:{family}" if http.group else ""
        self._processes = http.processes
        self._refresh = refresh

    async def publish_forever(self) -> None:
        """Keep this process's figures in Redis; a Redis that is away only makes the others' figures stale."""
        name = f"{self._prefix}{os.getpid()}"
        while self._processes > 1 or self._members:
            self._refresh(self.figures)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._redis.set(name, self.figures.dump(), ex=_KEEP_S)
                if self._members:
                    await self._redis.zadd(self._members, {str(os.getpid()): time.time()})
                    await self._redis.expire(self._members, _KEEP_S)
            await asyncio.sleep(_PUBLISH_S)

    async def render(self) -> bytes:
        """The text of /metrics."""
        total = Figures()
        self._refresh(self.figures)
        total.merge(self.figures.dump())
        workers = await self._workers()
        for dumped in await self._siblings(workers):
            total.merge(dumped)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Source(total))
        # A group may have more processes than there are cores: a share of cores that are not there would look idle.
        cores = min(len(workers), os.cpu_count() or 1) if self._members else self._processes
        registry.register(_Source(_Processes(workers, cores)))
        return generate_latest(registry)

    async def connections_of_task(self) -> int | None:
        """The open connections of this server's processes, for the one that speaks for them; None for the others."""
        workers = _own_workers()
        if os.getpid() != min((worker.pid for worker in workers), default=os.getpid()):
            return None
        total = Figures()
        self._refresh(self.figures)
        total.merge(self.figures.dump())
        for dumped in await self._siblings(workers):
            total.merge(dumped)
        return total.connections

    async def _workers(self) -> list[psutil.Process]:
        """The worker processes of this server, or of all servers of its group that published lately."""
        if not self._members:
            return _own_workers()
        pids = {os.getpid()}
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            lately: list[Any] = await self._redis.zrangebyscore(self._members, time.time() - _KEEP_S, "+inf")
            pids |= {int(pid) for pid in lately}
        workers = []
        for pid in sorted(pids):
            with contextlib.suppress(psutil.Error):
                workers.append(psutil.Process(pid))
        return workers

    async def _siblings(self, workers: list[psutil.Process]) -> list[bytes]:
        own = os.getpid()
        names = [f"{self._prefix}{worker.pid}" for worker in workers if worker.pid != own]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            dumps: list[Any] = await self._redis.mget(names) if names else []
            return [dumped for dumped in dumps if dumped]
        return []


class _Source:
    """Adapts an object with `collect` to prometheus-client's registry."""

    def __init__(self, source: Any) -> None:
        self.collect = source.collect


class _Processes:
    """CPU and memory of workers and their supervisors, read from the operating system."""

    def __init__(self, workers: list[psutil.Process], cores: int) -> None:
        self._workers = workers
        self._cores = cores

    def collect(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily("dbz_process_cpu_seconds", "CPU time used.", labels=["pid"])
        memory = GaugeMetricFamily("dbz_process_resident_memory_bytes", "Resident memory.", labels=["pid"])
        for process in _with_supervisors(self._workers):
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                cpu.add_metric([str(process.pid)], times.user + times.system)
                memory.add_metric([str(process.pid)], process.memory_info().rss)
        yield cpu
        yield memory
        yield GaugeMetricFamily("dbz_server_cores", "Cores given to the server.", value=self._cores)


def _own_workers() -> list[psutil.Process]:
    try:
        return list(psutil.Process(os.getppid()).children())
    except psutil.Error:
        return [psutil.Process()]


def _with_supervisors(workers: list[psutil.Process]) -> list[psutil.Process]:
    processes = {worker.pid: worker for worker in workers}
    for worker in workers:
        with contextlib.suppress(psutil.Error):
            supervisor = worker.parent()
            if supervisor is not None:
                processes[supervisor.pid] = supervisor
    return list(processes.values())
