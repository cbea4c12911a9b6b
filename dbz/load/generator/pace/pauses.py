"""Pauses of no length between tasks: made only where nobody else has had a turn since the last one.

Locust sleeps for 0 s after each task without a wait time, so that a task that never waits for anything does not keep
all others from running. Most tasks have waited for a server: to give way once more costs half as much as a request.
"""

from __future__ import annotations

from typing import Any

from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, DefaultTaskSet, TaskSet

from dbz.load.generator.net import waiting


def install() -> None:
    """Make every Locust task set of this process pause like that; all else is as in Locust's own `wait`."""

    def wait(task_set: Any) -> None:
        user = task_set._user
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        # What a user's own set of tasks would do, two calls later.
        seconds = user.wait_time() if type(task_set) is DefaultTaskSet and user.wait_time else task_set.wait_time()
        turns = waiting.turns()
        if seconds <= 0 and getattr(user, "dbz_turns", turns) != turns:
            user.dbz_turns = turns
            return
        user._state = LOCUST_STATE_WAITING
        task_set._sleep(seconds)
        user.dbz_turns = waiting.turns()
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING

    TaskSet.wait = wait
