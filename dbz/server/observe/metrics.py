"""What /metrics says: this process's figures, those of its siblings through Redis, and the processes themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.server.observe.exposition import family_head, gauge, label_block, sample_line
from dbz.server.observe.histogram import DELAY_BOUNDS_S, Counters, Histograms, Levels
from dbz.server.observe.workers import OwnWorkers
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

    def lines(self) -> Iterator[str]:
        """Everything as Prometheus text."""
        for family in self.families().values():
            yield from family.lines()
        yield gauge("dbz_socket_connections", "Open real-time connections.", self.connections)
        nobodys = "Open real-time connections that have not shown a valid token yet."
        yield gauge("dbz_socket_unauthenticated", nobodys, self.unauthenticated)


class ServerMetrics:
    """Publishes this process's figures every second and renders those of all processes of one server or group.

    `family` is its name in Redis: processes of the same supervisor, or of all servers of a group, share it. A group's
    members are known by what they have published lately, with the `service` that each is, empty where one process is
    all services.
    """

    def __init__(
        self, redis: Redis, http: Http, family: str, refresh: Callable[[Figures], None], service: str = ""
    ) -> None:
        self.figures = Figures()
        self._redis = redis
        self._prefix = f"metrics:{family}:"
        self._members = f"metrics-members:{family}" if http.group else ""
        self._processes = http.processes
        self._own_workers = OwnWorkers(http.processes)
        self._refresh = refresh
        self._member = f"{os.getpid()} {service}".strip()

    async def publish_forever(self) -> None:
        """Keep this process's figures in Redis; a Redis that is away only makes the others' figures stale."""
        name = f"{self._prefix}{os.getpid()}"
        while self._processes > 1 or self._members:
            self._refresh(self.figures)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._redis.set(name, self.figures.dump(), ex=_KEEP_S)
                if self._members:
                    await self._redis.zadd(self._members, {self._member: time.time()})
                    await self._redis.expire(self._members, _KEEP_S)
            await asyncio.sleep(_PUBLISH_S)

    async def render(self) -> bytes:
        """The text of /metrics."""
        services = await self._services()
        workers = [worker for worker, _ in services]
        total = await self._total(workers)
        # A group may have more processes than there are cores: a share of cores that are not there would look idle.
        cores = min(len(workers), os.cpu_count() or 1) if self._members else self._processes
        return "".join([*total.lines(), *_process_lines(services, cores)]).encode()

    async def connections_of_task(self) -> int | None:
        """The open connections of this server's processes, for the one that speaks for them; None for the others."""
        workers = self._own_workers.now()
        if os.getpid() != min((worker.pid for worker in workers), default=os.getpid()):
            return None
        return (await self._total(workers)).connections

    async def _total(self, workers: list[psutil.Process]) -> Figures:
        """The figures of all these processes together; this process's own where it is the only one."""
        self._refresh(self.figures)
        others = await self._siblings(workers)
        if not others:
            return self.figures
        total = Figures()
        for dumped in (self.figures.dump(), *others):
            total.merge(dumped)
        return total

    async def _services(self) -> list[_Worker]:
        """The worker processes of this server, or of all servers of its group that published lately."""
        if not self._members:
            return [(worker, "") for worker in self._own_workers.now()]
        members = {self._member}
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            lately: list[Any] = await self._redis.zrangebyscore(self._members, time.time() - _KEEP_S, "+inf")
            members |= {member.decode() for member in lately}
        workers = []
        for member in sorted(members):
            pid, _, service = member.partition(" ")
            with contextlib.suppress(psutil.Error):
                workers.append((psutil.Process(int(pid)), service))
        return workers

    async def _siblings(self, workers: list[psutil.Process]) -> list[bytes]:
        own = os.getpid()
        names = [f"{self._prefix}{worker.pid}" for worker in workers if worker.pid != own]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            dumps: list[Any] = await self._redis.mget(names) if names else []
            return [dumped for dumped in dumps if dumped]
        return []


_Worker = tuple[psutil.Process, str]
"""A worker process, and the service that it is."""


def _process_lines(workers: list[_Worker], cores: int) -> list[str]:
    """CPU and memory of workers and their supervisors, read from the operating system."""
    apart = Counter(service for _, service in workers if service)
    names = ("pid", "service") if apart else ("pid",)
    cpu = [family_head("dbz_process_cpu_seconds_total", "counter", "CPU time used.")]
    memory = [family_head("dbz_process_resident_memory_bytes", "gauge", "Resident memory.")]
    for process, service in _with_supervisors(workers):
        with contextlib.suppress(psutil.Error), process.oneshot():
            labels = label_block(names, (str(process.pid), service)[: len(names)])
            times = process.cpu_times()
            used = sample_line("dbz_process_cpu_seconds_total", labels, times.user + times.system)
            memory.append(sample_line("dbz_process_resident_memory_bytes", labels, process.memory_info().rss))
            cpu.append(used)
    running = [family_head("dbz_service_processes", "gauge", "Worker processes that run.")] if apart else []
    for service, count in apart.items():
        running.append(sample_line("dbz_service_processes", label_block(("service",), (service,)), count))
    return [*cpu, *memory, *running, gauge("dbz_server_cores", "Cores given to the server.", cores)]


def _with_supervisors(workers: list[_Worker]) -> list[_Worker]:
    """Each process once; a supervisor belongs to the service of its workers."""
    processes = {worker.pid: (worker, service) for worker, service in workers}
    for worker, service in workers:
        with contextlib.suppress(psutil.Error):
            supervisor = worker.parent()
            if supervisor is not None:
                processes[supervisor.pid] = (supervisor, service)
    return list(processes.values())
