"""How late the task of a greenlet began: its first request carries it, because a real user waited all that time."""

from __future__ import annotations

import gevent

LATE_S = 0.01
"""A task that begins this much after its intended start counts as late; less is the precision of timers."""


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


class Punctuality:
    """How many paced tasks of a process began, and how many of them late."""

    def __init__(self) -> None:
        self._begun = self._late = 0

    def note(self, lateness_s: float) -> None:
        """One began, so much later than it should have."""
        self._begun += 1
        self._late += lateness_s > LATE_S

    def take(self) -> dict[str, int]:
        """What was noted since the last call."""
        counts = {"begun": self._begun, "late": self._late}
        self._begun = self._late = 0
        return counts
