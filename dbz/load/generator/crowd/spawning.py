"""Users come one after another over each second: Locust starts a second's worth of them at once.

At a thousand users a second that would be a burst of a thousand connects. Each would wait for the others, in the
generator and at the server, and be measured as slow; and users who begin together keep their pace together, so that
every later second would have its burst too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import gevent

STEP_S = 0.01
"""Users who are less apart come together."""


def install(runner: Any) -> None:
    """Let a local runner, or that of a worker, start its users evenly.

    How many come in which second is Locust's to say, and those who have died meanwhile are replaced when it says so.
    """
    start_at_once = runner.spawn_users

    def spawn_users(counts: Mapping[str, int], wait: bool = False) -> list[Any]:
        names = [name for name, count in counts.items() for _ in range(count)]
        apart_s = spacing_s(runner, len(names))
        began_s = time.monotonic()
        users: list[Any] = []
        while len(users) < len(names):
            if users:
                gevent.sleep(max(began_s + len(users) * apart_s - time.monotonic(), STEP_S))
            due = int((time.monotonic() - began_s) / apart_s) + 1
            users += start_at_once(Counter(names[len(users) : max(due, len(users) + 1)]))
        return start_at_once({}, wait) + users if wait else users

    runner.spawn_users = spawn_users


def spacing_s(runner: Any, count: int) -> float:
    """How far apart users come or go of whom there are so many in one of Locust's steps.

    A step of n users is more than n / (n + 1) of a second long. One that has fewer than the rate allows may be shorter;
    a worker is not told of the rate.
    """
    rate = getattr(runner._users_dispatcher, "_spawn_rate", 0.0)
    return 1 / max(count + 1, rate)
