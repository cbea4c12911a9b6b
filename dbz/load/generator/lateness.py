"""How late the task of a greenlet began: its first request carries it, because a real user waited all that time."""

from __future__ import annotations

import gevent


def note_lateness_s(lateness_s: float) -> None:
    """The task that this greenlet begins now is so many seconds late."""
    gevent.getcurrent().dbz_lateness_s = lateness_s


def take_lateness_s() -> float:
    """How late the current task began, once: the first request of a task carries it."""
    greenlet = gevent.getcurrent()
    lateness_s: float = getattr(greenlet, "dbz_lateness_s", 0.0)
    if lateness_s:
        greenlet.dbz_lateness_s = 0.0
    return lateness_s
