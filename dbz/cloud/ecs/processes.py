"""Tasks that are real: each is a reference server of its own on one shared port, or, with services apart, one of the
gateways there, or one process of a service behind them.

The kernel spreads new connections over those who share the port. A task is ready when its worker listens; its CPU and
memory are what the operating system says of its processes, its connections an equal share of what the group of servers
says together.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from dbz.children import Child, free_port, python_module, stop_all
from dbz.cloud.cloudwatch.logs import LogFollower, Logged
from dbz.cloud.ecs.tasks import TaskTotals, Usage

MEMORY_BYTES = 1024**3
"""What a task is given: one core and 1,024 MiB, as its task definition says."""
_GRACE_S = 10.0


@dataclass(frozen=True)
class ServerOptions:
    """How the reference server is started."""

    port: int
    """Where the app answers."""
    arguments: tuple[str, ...]
    """Those of `python -m dbz.server` beside what a task says for itself."""
    env: Mapping[str, str]
    logs: Path
    gateway: str = ""
    """The ECS service whose tasks are gateways, and all others the app's services of their names; empty: every task is
    a whole server."""
    host: str = "127.0.0.1"

    def of(self, service: str) -> tuple[int, list[str], dict[str, str]]:
        """Port, command and environment of a new task of an ECS service."""
        front = not self.gateway or service == self.gateway
        port = self.port if front else free_port(self.host)
        where = ["--host", self.host, "--port", str(port), "--group", f"dbz-{self.port}"]
        role: list[str] = []
        env = {"PYTHONUNBUFFERED": "1", **self.env}
        if self.gateway:  # of an option that is given twice the last one holds
            role = ["--warmup", "none", "--service", "gateway" if front else service]
        if not front:
            role += ["--emf", ""]
        if not front and service != "auth":
            env["JWT_SECRET"] = ""  # only who reads and writes tokens knows how they are signed
        if self.gateway and service != "auth":
            env |= {"BAND_CLIENT_SECRET": "", "BAND_TOKEN_KEYS": ""}
        return port, python_module("dbz.server", *where, *self.arguments, *role), env


class ProcessTask:
    """One process of the reference server, with its workers."""

    def __init__(self, number: int, service: str, options: ServerOptions) -> None:
        scratch = Path(tempfile.gettempdir()) / f"dbz-task-{secrets.token_hex(8)}"
        self._port, argv, env = options.of(service)
        env["TMPDIR"] = str(scratch)
        log = options.logs / (f"{service}-{number}.log" if options.gateway else f"task-{number}.log")
        log.unlink(missing_ok=True)  # another cloud's
        self._log = LogFollower(log)
        self.child = Child(f"task {number} of {service}", argv, log=log, env=env, scratch=[scratch], grace_s=_GRACE_S)
        self._ready = False
        self._stopping = False
        self._seen: dict[int, float] = {}
        self._seen_s = time.monotonic()

    def ready(self) -> bool:
        """Whether a worker listens on the port; once it has, until it ends."""
        if not self._ready:
            self._ready = any(self._listens(one) for one in self._processes())
        return self._ready

    def ended(self) -> str:
        """The exit code when it ended although nobody stopped it."""
        code = self.child.exit_code
        return "" if code is None or self._stopping else f"Essential container in task exited with code {code}"

    def usage(self) -> Usage | None:
        """Cores used since the last call, and resident memory, of all its processes; None at first."""
        now_s, times, memory = time.monotonic(), {}, 0
        for one in self._processes():
            with contextlib.suppress(psutil.Error), one.oneshot():
                used = one.cpu_times()
                times[one.pid] = used.user + used.system
                memory += one.memory_info().rss
        spent_s = sum(max(0.0, value - self._seen.get(pid, 0.0)) for pid, value in times.items())
        first, elapsed_s = not self._seen, now_s - self._seen_s
        self._seen, self._seen_s = times, now_s
        if first or elapsed_s <= 0 or not times:
            return None
        return Usage(spent_s / elapsed_s, memory / MEMORY_BYTES)

    def logged(self) -> list[Logged]:
        """The metrics of its log's new lines."""
        return self._log.new()

    def stop(self) -> None:
        """Let it drain and end, without waiting."""
        self._stopping = True
        self.child.release()

    def gone(self) -> bool:
        """Whether it has ended."""
        return self.child.exit_code is not None

    def _processes(self) -> list[psutil.Process]:
        try:
            main = psutil.Process(self.child.pid)
            return [main, *main.children(recursive=True)]
        except psutil.Error:
            return []

    def _listens(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return any(
                one.status == psutil.CONN_LISTEN and one.laddr.port == self._port
                for one in process.net_connections("tcp")
            )
        return False


class ProcessRunner:
    """Starts reference servers."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._tasks: list[ProcessTask] = []

    def start(self, number: int, service: Mapping[str, str]) -> ProcessTask:
        """A new server; it is ready some seconds later."""
        self._tasks = [task for task in self._tasks if not task.gone()]
        task = ProcessTask(number, service["ServiceName"], self._options)
        self._tasks.append(task)
        return task

    def totals(self) -> TaskTotals | None:
        """What all tasks together have done, as any of them says; None when none answers."""
        connection = http.client.HTTPConnection(self._options.host, self._options.port, timeout=1.0)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode() if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return _totals(text) if text else None

    def close(self) -> None:
        """End all of them and wait."""
        stop_all(task.child for task in self._tasks)


def _totals(text: str) -> TaskTotals:
    """From the text of `/metrics`."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if not line.startswith("#") and name and 'route="/internal' not in name:  # what services ask of each other
            key = name.split("{")[0]
            key = "failed" if key == "dbz_http_requests_total" and 'status="5' in name else key
            sums[key] = sums.get(key, 0.0) + float(value)
    failed = sums.get("failed", 0.0)
    answered = sums.get("dbz_http_requests_total", 0.0) + failed
    connections = sums.get("dbz_socket_connections", 0.0)
    return TaskTotals(connections, answered, failed, sums.get("dbz_http_request_duration_seconds_sum", 0.0))
