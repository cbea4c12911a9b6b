"""Rounds: what has come and what is due for all shaped connections of a process, dealt with in few turns.

It is waking up that costs: a process that slept finds its caches cold and its core at rest, so that many short turns
take several times the CPU of few long ones with the same to do. So the sockets of shaped connections have an event loop
of their own, which the hub's loop looks after:

- at rest, it is one descriptor that wakes the hub's loop when anything comes;
- while there is more to do than one thing in a grain of time, it is looked at once a grain, and wakes nobody.

Moments are kept to `EARLY_S` either way, beside what the event loop is late. That is no error that adds up: bytes that
left late are answered as if they had left on time, and bytes that came within a grain as if they came in its middle.
"""

from __future__ import annotations

import heapq
import math
import time
from functools import cache
from typing import Any, Protocol

from gevent.hub import get_hub

GRAIN_S = 0.003
"""Moments that are nearest to the same multiple of it are one."""
EARLY_S = GRAIN_S / 2
"""What is due so soon is due now."""
_TURN_S = 0.0005
"""The event loop waits for whole milliseconds, rounded up: so much too long on the average."""
_ROUNDING_S = 1e-6
_READ = 1


class Sleeper(Protocol):
    """Who is woken at a moment."""

    def ring(self, now_s: float) -> None:
        """The moment has come: all until `now_s`, which may be `EARLY_S` ahead of the clock, counts as due."""


class Rounds:
    """Those of one event loop. What is called here is called by the event loop and must not block."""

    __slots__ = (
        *("_done", "_hub", "_looked_s", "_next", "_order", "_sleepers", "_sockets", "_stir", "_timer", "_unknown"),
        "sent_s",
        "until_s",
    )

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self._sockets = type(hub.loop)(default=False)
        self._sockets.error_handler = hub
        self._stir = hub.loop.io(self._sockets.fileno(), _READ)
        self._sleepers: dict[int, list[Sleeper]] = {}
        self._order: list[int] = []
        self._next: float = math.inf
        self._timer: Any = None
        self._done = 0
        self._unknown = False
        self._looked_s = 0.0
        self.sent_s = 0.0
        """When that came what is read in this round."""
        self.until_s = 0.0
        """What arrives until then, arrives in this round."""

    def reader(self, descriptor: int) -> Any:
        """A watcher, not started, of what comes by a socket; whoever it calls tells by `read_something`."""
        return self._sockets.io(descriptor, _READ)

    def read_something(self) -> None:
        """Something had come."""
        self._done += 1

    def look_soon(self) -> None:
        """A reader was started: from the next round on it is looked after."""
        self._unknown = True
        after = _grain_after(time.monotonic())
        if self._next > after:
            self._set_timer(after)

    def set(self, due_s: float, sleeper: Sleeper) -> None:
        """Have `sleeper.ring` called when the moment has come; that cannot be taken back."""
        grain = int(due_s / GRAIN_S + 0.5)
        sleepers = self._sleepers.get(grain)
        if sleepers is not None:
            sleepers.append(sleeper)
            return
        self._sleepers[grain] = [sleeper]
        heapq.heappush(self._order, grain)
        if grain < self._next:
            self._set_timer(grain)

    def _stirred(self) -> None:
        self._go_round(time.monotonic(), 0.0)

    def _timed(self) -> None:
        now_s = time.monotonic()
        self._go_round(now_s, 0.0 if self._stir.active else min(now_s - self._looked_s, GRAIN_S) / 2)

    def _go_round(self, now_s: float, ago_s: float) -> None:
        self._next = -math.inf  # whoever is called may set alarms: the timer is set once, at the end
        self._done, self._unknown = 0, False
        self._looked_s, self.sent_s, self.until_s = now_s, now_s - ago_s, now_s + EARLY_S
        try:
            self._sockets.run(nowait=True)
            self._ring(now_s)
        finally:
            self._next = math.inf
            self._rest_or_go_on()

    def _rest_or_go_on(self) -> None:
        busy = self._done > 1
        if busy == self._stir.active:
            if busy:
                self._stir.stop()
            else:
                self._stir.start(self._stirred)
        if busy or self._unknown:
            self._set_timer(_grain_after(time.monotonic()))
        elif self._order:
            self._set_timer(self._order[0])

    def _ring(self, now_s: float) -> None:
        order, grain = self._order, -1
        latest = (now_s + _TURN_S) / GRAIN_S
        while order and grain < order[0] <= latest:  # who sets his alarm for now has it in the next turn
            grain = heapq.heappop(order)
            sleepers = self._sleepers.pop(grain)
            self._done += len(sleepers)
            self._ring_all(sleepers, max(now_s, (grain + 0.5) * GRAIN_S + _ROUNDING_S))

    def _ring_all(self, sleepers: list[Sleeper], until_s: float) -> None:
        number = 0
        try:
            for number, sleeper in enumerate(sleepers, 1):  # noqa: B007 it says how far this came
                sleeper.ring(until_s)
        finally:
            for sleeper in sleepers[number:]:  # whoever fails keeps nobody else asleep
                self.set(until_s, sleeper)

    def _set_timer(self, grain: int) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._next = grain
        self._timer = self._hub.loop.timer(max(grain * GRAIN_S - _TURN_S - time.monotonic(), 0.0))
        self._timer.start(self._timed, update=True)


def _grain_after(now_s: float) -> int:
    return int((now_s + _TURN_S) / GRAIN_S) + 1


@cache
def _rounds_of(hub: Any) -> Rounds:
    return Rounds(hub)


def rounds() -> Rounds:
    """Those of this thread's event loop."""
    return _rounds_of(get_hub())
