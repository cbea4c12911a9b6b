"""The open model: each task begins at an arrival of the schedule, and time spent waiting for a free user counts.

A free user takes the next arrival and sleeps until it is due. When all users are busy an arrival is taken late; its
lateness is added to the first request of the task, because a real user would have been waiting all that time.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet

from dbz.load.arrivals import count_before, even_arrivals

LATE_S = 0.01
"""A task that begins this much after its arrival counts as late; less is the precision of timers."""


class Arrivals:
    """The arrivals of one worker; the schedule begins `origin_s` on the monotonic clock."""

    def __init__(self, rate_per_s: float, worker: int, workers: int) -> None:
        self._schedule = even_arrivals(rate_per_s, worker, workers)
        self._rate_per_s, self._worker, self._workers = rate_per_s, worker, workers
        self._origin_s = time.monotonic()
        self._taken = 0
        self._late = 0

    def wait(self) -> None:
        """Take the next arrival and sleep until it is due; the greenlet remembers how late it begins."""
        self._taken += 1
        due_s = self._origin_s + next(self._schedule)
        pause_s = due_s - time.monotonic()
        if pause_s > 0:
            gevent.sleep(pause_s)
        lateness_s = max(time.monotonic() - due_s, 0.0)
        self._late += lateness_s > LATE_S
        gevent.getcurrent().dbz_lateness_s = lateness_s

    def take_late(self) -> int:
        """Tasks that began late since the last call."""
        late, self._late = self._late, 0
        return late

    def not_begun(self) -> int:
        """Arrivals that are due by now and that no user was free to take."""
        due = count_before(self._rate_per_s, self._worker, self._workers, time.monotonic() - self._origin_s)
        return max(due - self._taken, 0)


def take_lateness_s() -> float:
    """How late the current task began, once: the first request of a task carries it."""
    greenlet = gevent.getcurrent()
    lateness_s: float = getattr(greenlet, "dbz_lateness_s", 0.0)
    if lateness_s:
        greenlet.dbz_lateness_s = 0.0
    return lateness_s


def pace_tasks(arrivals: Arrivals) -> None:
    """Make every Locust task set of this process begin its tasks at arrivals, instead of pausing between them."""
    execute = TaskSet.execute_next_task

    def execute_at_arrival(task_set: Any) -> None:
        user = task_set.user
        user._state = LOCUST_STATE_WAITING
        arrivals.wait()
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING
        execute(task_set)

    TaskSet.execute_next_task = execute_at_arrival
    TaskSet.wait = lambda _task_set: None
