"""When tasks begin: at arrivals (the open model), at a steady pace, or whenever the user is ready.

In the first two each task has an intended start. A task that begins late carries its lateness to its first request,
because a real user would have been waiting all that time.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import gevent
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet

from dbz.config.arrivals import recorded_arrivals
from dbz.load.arrivals import arrival_times
from dbz.load.generator.lateness import note_lateness_s
from dbz.load.generator.population import RequestPace
from dbz.load.spec import GeneratorSpec
from dbz.runs.record import STEADY

_AFTER_MARK_S = 0.2
"""Recorded arrivals begin so long after the mark of the judged part, for which is looked as often."""
LATE_S = 0.01
"""A task that begins this much after its intended start counts as late; less is the precision of timers."""


class Pacer(Protocol):
    """Says when a user's next task should begin."""

    def next_start_s(self, user: Any) -> float:
        """The intended start of the next task of `user`, on the monotonic clock; infinite when there is none."""
        ...


class Arrivals:
    """The arrivals of one worker: each is taken by the user that is free first."""

    def __init__(self, schedule: Iterator[float]) -> None:
        self._schedule = schedule
        self._origin_s = time.monotonic()

    def begin(self) -> None:
        """The first arrivals are due now."""
        self._origin_s = time.monotonic()

    def next_start_s(self, user: Any) -> float:  # noqa: ARG002 whoever is free
        """Take the next arrival."""
        return self._origin_s + next(self._schedule, float("inf"))

    def not_begun(self) -> int:
        """Arrivals that are due by now and that no user was free to take; they are gone after that."""
        now_s = time.monotonic()
        count = 0
        while self.next_start_s(None) < now_s:
            count += 1
        return count


class RecordedArrivals(Arrivals):
    """Arrivals at recorded moments; `user.arrival` is what was recorded of the one that a user takes.

    They begin with the judged part, however long users take to start, so that all of them are judged.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__(iter(()))
        self._marks = Path(spec.folder) / "marks.jsonl"
        self._started_s = spec.started_monotonic_s
        self._first_s = math.inf
        self._speed = spec.speed
        self._rows = recorded_arrivals(spec.arrivals, spec.worker, spec.workers)

    def begin(self) -> None:
        """They are due once the judged part has begun."""

    def next_start_s(self, user: Any) -> float:
        """Take the next arrival; waits for the judged part first, unless there is no user to wait."""
        while math.isinf(self._first_s):
            self._look_for_mark()
            if user is None:
                return math.inf
            gevent.sleep(_AFTER_MARK_S)
        at_s, row = next(self._rows, (math.inf, None))
        if user is not None:
            user.arrival = row
        return self._first_s + at_s / self._speed

    def _look_for_mark(self) -> None:
        """Whoever steers the run, in this process or another one, notes when the judged part begins."""
        complete = self._marks.read_bytes().rpartition(b"\n")[0] if self._marks.exists() else b""
        for mark in map(json.loads, complete.splitlines()):
            if mark["mark"] == STEADY:
                self._first_s = self._started_s + mark["t"] + _AFTER_MARK_S


class SteadyPace:
    """Each user begins a task every `period_s` seconds, the first one at once."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next: dict[int, float] = {}

    def next_start_s(self, user: Any) -> float:
        """One period after the previous intended start, however late that one was."""
        due_s = self._next.get(id(user), time.monotonic())
        self._next[id(user)] = due_s + self._period_s
        return due_s


class Pacing:
    """The pacers of one worker by user class, and how many tasks began, and began late.

    `requests` paces users so that the run reaches a rate of requests; it wins over the others.
    """

    def __init__(self, spec: GeneratorSpec, requests: RequestPace | None = None) -> None:
        self._requests = requests
        self._open_users = spec.open_users
        self._steady = SteadyPace(spec.pacing_s) if spec.pacing_s else None
        self._arrivals: Arrivals | None = None
        if spec.rate_per_s is not None:
            schedule = arrival_times(spec.ramp, spec.spacing, spec.seed, spec.worker, spec.workers)
            self._arrivals = Arrivals(schedule)
        elif spec.arrivals:
            self._arrivals = RecordedArrivals(spec)
        self._begun = self._late = 0

    def begin(self) -> None:
        """Users may start only now: what was due while the run was being prepared is due from now on."""
        if self._arrivals is not None:
            self._arrivals.begin()

    def pacer_of(self, user: Any) -> Pacer | None:
        """What paces a user; None when it goes on whenever it is ready."""
        if self._requests is not None:
            return self._requests if self._requests.paces(user) else None
        if self._arrivals is not None and (not self._open_users or type(user).__name__ in self._open_users):
            return self._arrivals
        return self._steady

    def wait(self, user: Any, pacer: Pacer) -> None:
        """Sleep until the intended start of the next task; the greenlet remembers how late it begins."""
        due_s = pacer.next_start_s(user)
        pause_s = due_s - time.monotonic()
        if pause_s > 0:
            gevent.sleep(min(pause_s, 1e6))
        lateness_s = max(time.monotonic() - due_s, 1e-9)
        self._begun += 1
        self._late += lateness_s > LATE_S
        note_lateness_s(lateness_s)

    def take_counts(self) -> dict[str, int]:
        """Paced tasks that began, and those that began late, since the last call."""
        counts = {"begun": self._begun, "late": self._late}
        self._begun = self._late = 0
        return counts

    def not_begun(self) -> int:
        """Arrivals that are due by now and that no user was free to take."""
        return self._arrivals.not_begun() if self._arrivals else 0

    def install(self) -> None:
        """Make every Locust task set of this process begin its tasks when its user's pacer says."""
        if self._requests is None and self._arrivals is None and self._steady is None:
            return
        execute, pause = TaskSet.execute_next_task, TaskSet.wait

        def execute_when_due(task_set: Any) -> None:
            user = task_set.user
            pacer = self.pacer_of(user)
            if pacer is not None:
                user._state = LOCUST_STATE_WAITING
                self.wait(user, pacer)
                if user._state == LOCUST_STATE_STOPPING:
                    raise StopUser
                user._state = LOCUST_STATE_RUNNING
            execute(task_set)

        def pause_unless_paced(task_set: Any) -> None:
            if self.pacer_of(task_set.user) is None:
                pause(task_set)

        TaskSet.execute_next_task = execute_when_due
        TaskSet.wait = pause_unless_paced
