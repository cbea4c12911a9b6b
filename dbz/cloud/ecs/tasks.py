"""What a task is to the reconciler, and tasks that only exist on paper."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dbz.cloud.cloudwatch.logs import Logged


@dataclass(frozen=True)
class Usage:
    """What a running task uses: shares of what it was given."""

    cpu: float
    memory: float


@dataclass(frozen=True)
class TaskTotals:
    """What all tasks together have done: open connections, and answers, failures and seconds of answering so far."""

    connections: float
    answered: float
    failed: float
    answer_s: float


class Task(Protocol):
    """One task. `ended` says why it ended by itself, and is empty while it has not."""

    def ready(self) -> bool:
        """Whether it answers."""

    def ended(self) -> str:
        """Why it is over; empty while it is not."""

    def usage(self) -> Usage | None:
        """What it has used since the last call; None when that is not known."""

    def logged(self) -> list[Logged]:
        """The metrics that it has written to its log since the last call."""

    def stop(self) -> None:
        """Begin to end it; it need not have ended on return."""

    def gone(self) -> bool:
        """Whether it has ended after `stop`."""


class Runner(Protocol):
    """Starts tasks."""

    def start(self, number: int, service: Mapping[str, str]) -> Task:
        """A new task of a service, which is named as in CloudWatch's dimensions; `number` counts them."""

    def totals(self) -> TaskTotals | None:
        """What all tasks together have done; None when that is not known."""

    def close(self) -> None:
        """End everything that was started and wait for it."""


class PaperTask:
    """A task that does nothing but take `start_s` to start."""

    def __init__(self, start_s: float, load: PaperLoad, of: Mapping[str, str]) -> None:
        self._ready_s = time.monotonic() + start_s
        self._load, self._of = load, dict(of)
        self._stopped = False

    def ready(self) -> bool:
        """Whether its time has come and the load lets tasks become healthy."""
        return time.monotonic() >= self._ready_s and self._load.healthy

    def ended(self) -> str:
        """Only when tasks are told to fail."""
        return self._load.failure if time.monotonic() >= self._ready_s else ""

    def usage(self) -> Usage | None:
        """An equal share of the load."""
        return self._load.share()

    def logged(self) -> list[Logged]:
        """Its share of the connections, as a server of the app would write it."""
        running = self._load.running
        if self._load.demand is None or not running:
            return []
        share = self._load.connections / running
        return [Logged("dbz", "ActiveConnections", "Count", self._of, share, time.time())]

    def stop(self) -> None:
        """At once."""
        self._stopped = True

    def gone(self) -> bool:
        """At once."""
        return self._stopped


class PaperLoad:
    """A load that all paper tasks share, told from outside: `demand` in tasks, `connections`, `requests` a second.

    `healthy` False keeps new tasks from ever becoming ready, `failure` makes them end with that reason.
    """

    def __init__(self) -> None:
        self.demand: float | None = 0.2
        self.memory = 0.3
        self.connections = 0.0
        self.requests = 0.0
        self.healthy = True
        self.failure = ""
        self.running = 0

    def share(self) -> Usage | None:
        """What falls on one task."""
        if self.demand is None or not self.running:
            return None
        return Usage(min(1.0, self.demand / self.running), self.memory)


class PaperRunner:
    """Starts paper tasks."""

    def __init__(self, start_s: float) -> None:
        self.load = PaperLoad()
        self._start_s = start_s
        self._answered = 0.0
        self._seen_s = time.monotonic()

    def start(self, number: int, service: Mapping[str, str]) -> PaperTask:  # noqa: ARG002 all are alike
        """A task on paper."""
        return PaperTask(self._start_s, self.load, service)

    def totals(self) -> TaskTotals | None:
        """As told; every request is answered in 20 ms."""
        now_s = time.monotonic()
        self._answered += self.load.requests * (now_s - self._seen_s)
        self._seen_s = now_s
        if self.load.demand is None:
            return None
        return TaskTotals(self.load.connections, self._answered, 0.0, self._answered * 0.02)

    def close(self) -> None:
        """Nothing runs."""
