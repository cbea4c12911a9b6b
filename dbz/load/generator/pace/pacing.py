"""When tasks begin: at arrivals (the open model), at a steady pace, or whenever the user is ready.

In the first two each task has an intended start. A task that begins late carries its lateness to its first request,
because a real user would have been waiting all that time.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import gevent
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet

from dbz.load.generator.crowd.population import RequestPace
from dbz.load.generator.pace.arrivals import Arrivals, RecordedArrivals
from dbz.load.generator.pace.lateness import Punctuality, note_lateness_s
from dbz.load.planning.arrivals import arrival_times
from dbz.load.spec import GeneratorSpec


class Pacer(Protocol):
    """Says when a user's next task should begin."""

    def next_start_s(self, user: Any) -> float:
        """The intended start of the next task of `user`, on the monotonic clock; infinite when there is none."""
        ...


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
        self.arrivals: Arrivals | None = None
        """Those of this worker in an open load; None in a closed one."""
        if spec.rate_per_s is not None:
            schedule = arrival_times(spec.ramp, spec.spacing, spec.seed, spec.worker, spec.workers)
            self.arrivals = Arrivals(schedule)
        elif spec.arrivals:
            self.arrivals = RecordedArrivals(spec)
        self.punctuality = Punctuality()

    def begin(self) -> None:
        """Users may start only now: what was due while the run was being prepared is due from now on."""
        if self.arrivals is not None:
            self.arrivals.begin()

    def end(self, **_: Any) -> None:
        """Users are about to stop: a listener of Locust's `test_stopping`."""
        if self.arrivals is not None:
            self.arrivals.end()

    def pacer_of(self, user: Any) -> Pacer | None:
        """What paces a user; None when it goes on whenever it is ready."""
        if self._requests is not None:
            return self._requests if self._requests.paces(user) else None
        if self.arrivals is not None and (not self._open_users or type(user).__name__ in self._open_users):
            return self.arrivals
        return self._steady

    def wait(self, user: Any, pacer: Pacer) -> None:
        """Sleep until the intended start of the next task; the greenlet remembers how late it begins."""
        due_s = pacer.next_start_s(user)
        pause_s = due_s - time.monotonic()
        if pause_s > 0:
            gevent.sleep(min(pause_s, 1e6))
        lateness_s = max(time.monotonic() - due_s, 1e-9)
        self.punctuality.note(lateness_s)
        note_lateness_s(lateness_s)

    def take_counts(self) -> dict[str, int]:
        """Paced tasks that began, and those that began late, since the last call."""
        return self.punctuality.take()

    def not_begun(self) -> int:
        """Arrivals that were due while the load went on and that no user was free to take."""
        return self.arrivals.not_begun() if self.arrivals else 0

    def install(self) -> None:
        """Make every Locust task set of this process begin its tasks when its user's pacer says."""
        if self._requests is None and self.arrivals is None and self._steady is None:
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
