"""Users that act at given times in a rehearsal: each request, connect and event of theirs waits for its own.

Pauses between the actions would add up what each action takes too long, and on a busy machine two users would soon
do in another order what was recorded of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

import gevent

from dbz.load.generator import users
from dbz.load.generator.http import HttpClient
from dbz.load.generator.socketio.namespace import Namespace
from dbz.load.generator.websocket.raw import RawSocket

_ACTIONS = (
    (HttpClient, "request"),
    (Namespace, "connect"),
    (Namespace, "emit"),
    (Namespace, "call"),
    (RawSocket, "connect"),
    (RawSocket, "send"),
    (RawSocket, "request"),
)


class Timetable:
    """When users act, in seconds from its start on, by user class and in the order of their actions.

    Actions beyond the times of a user, and those of greenlets beside its own, wait for nothing.
    """

    def __init__(self, times_s: Mapping[str, Sequence[float]]) -> None:
        self._times_s = times_s
        self._origin_s = time.monotonic()
        if times_s:
            for owner, name in _ACTIONS:
                _wait_before(owner, name)
            setattr(users.HttpUser, "pause", lambda *_: None)  # noqa: B010 a method is replaced on purpose

    def start(self) -> None:
        """The times are counted from now on."""
        self._origin_s = time.monotonic()

    def apply(self, user: Any) -> None:
        """From here on this greenlet acts at the times of this user."""
        times_s = self._times_s.get(type(user).__name__)
        if times_s is not None:
            gevent.getcurrent().due_s = (self._origin_s + at_s for at_s in times_s)


def _wait_before(owner: type, name: str) -> None:
    act = getattr(owner, name)

    @wraps(act)
    def act_when_due(*arguments: Any, **options: Any) -> Any:
        due_s: Iterator[float] = getattr(gevent.getcurrent(), "due_s", iter(()))
        wait_s = next(due_s, 0.0) - time.monotonic()
        if wait_s > 0:
            gevent.sleep(wait_s)
        return act(*arguments, **options)

    setattr(owner, name, act_when_due)
