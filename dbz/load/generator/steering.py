"""Who steers a run: starts and changes the users, and marks when the judged part begins and ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import gevent
from gevent.event import Event

from dbz.errors import UsageError
from dbz.load.generator.deliveries.ledger import DEADLINE_S
from dbz.load.generator.hooks import call_first
from dbz.load.generator.record.marks import Marks
from dbz.load.orders import Order, OrderReader
from dbz.load.spec import GeneratorRole, GeneratorSpec
from dbz.runs.storage.record import END, ENDED_ITSELF, LEVEL, LOST_WORKERS, STEADY

_SPAWN_SHARE = 0.8
"""Within which part of the warm-up, or of a step, users come."""
_SPAWN_PATIENCE_S = 30.0
_LAST_LINE_S, _OWN_LAST_LINE_S = 0.15, 0.02
"""From the end until each worker, or this process, has written its line of the last judged second."""
_STEP_S = 1.0
_LOOK_FOR_ORDERS_S = 0.1


def spawn_rate(spec: GeneratorSpec) -> int:
    """How many users a second are started, so that all are there within four fifths of the warm-up."""
    return max(math.ceil(spec.users / max(spec.warmup_s * _SPAWN_SHARE, 0.5)), 1)


class Followed(Protocol):
    """The deliveries that users follow, in this process or in those of the workers."""

    def end_at(self, end_s: float) -> None:
        """Messages that are sent after this moment of the monotonic clock are not followed."""

    def pending(self) -> bool:
        """Whether a message that was sent before the end is on its way."""


class Steering:
    """Steers Locust's local or master runner through one run; `interrupted` ends it early.

    The scenario may end the run as well: by `runner.quit()`, or by a load shape that has nothing more to say. The
    judged part ends there, and a run that never left its warm-up, or has none, is judged as a whole.
    """

    def __init__(
        self, spec: GeneratorSpec, environment: Any, runner: Any, interrupted: Event, marks: Marks, followed: Followed
    ) -> None:
        self._spec = spec
        self._environment = environment
        self._runner = runner
        self._interrupted = interrupted
        self._marks = marks
        self._followed = followed
        self._first_s: float | None = None
        self._ended_s: float | None = None
        self._left = 0
        self._spawned = False
        self._changing: gevent.Greenlet | None = None
        call_first(environment.events.test_start, self._on_start)
        call_first(environment.events.test_stopping, self._on_stopping)
        environment.events.spawning_complete.add_listener(self._on_spawned)

    def steer(self) -> None:
        """Do the whole run: warm-up, judged part, end. The marks are at full seconds, as the record is kept."""
        spec = self._spec
        if spec.ordered:
            self._follow_orders()
            return
        warm_until_s = time.monotonic() + spec.warmup_s
        self._start_users()
        steady_s = self._begin(warm_until_s)
        if not self._over:
            self._mark(STEADY, steady_s)
            end_s = steady_s + math.ceil(spec.duration_s)
            self._followed.end_at(spec.started_monotonic_s + end_s)
            self._hold_or_change_users(spec.started_monotonic_s + steady_s, spec.started_monotonic_s + end_s)
        elif self._ended_s is not None and self._first_s is not None:
            steady_s = end_s = self._first_s  # it ended in its warm-up
            self._mark(STEADY, steady_s)
        else:
            end_s = steady_s  # interrupted: nothing is judged, not even a millisecond
        self._end(end_s)

    def note_lost(self, lost_workers: int) -> None:
        """Note how many workers of other machines were lost."""
        if lost_workers:
            self._marks.mark(LOST_WORKERS, self._spec.duration_s, count=lost_workers)

    def note_left(self, **_: Any) -> None:
        """The scenario has ended one of the workers: with the last of them it has ended the run."""
        self._left += 1
        if self._left >= self._runner.worker_count:
            self._on_stopping()

    def pause_until(self, deadline_s: float, reached: Callable[[], bool] = lambda: False) -> None:
        """Wait until a moment, until something is reached, or until the run is over."""
        while not self._over and not reached() and time.monotonic() < deadline_s:
            self._interrupted.wait(min(max(deadline_s - time.monotonic(), 0.0), 0.05))

    @property
    def _over(self) -> bool:
        return self._interrupted.is_set() or self._ended_s is not None

    @property
    def _shaped(self) -> bool:
        return self._environment.shape_class is not None

    def _on_start(self, **_: Any) -> None:
        if self._first_s is None:
            self._first_s = self._marks.now_s

    def _on_spawned(self, **_: Any) -> None:
        self._spawned = True

    def _on_stopping(self, **_: Any) -> None:
        if self._ended_s is None:
            self._ended_s = self._marks.now_s

    def _start_users(self) -> None:
        """Start all users within four fifths of the warm-up, or let the file's own load shape do it."""
        spec, runner = self._spec, self._runner
        if self._shaped:
            runner.start_shape()
            self.pause_until(time.monotonic() + _SPAWN_PATIENCE_S, lambda: self._first_s is not None)
            return
        self._change_users(spec.users, spawn_rate(spec))
        patient_until_s = time.monotonic() + spec.warmup_s + _SPAWN_PATIENCE_S
        # Some may have died already: that all were started is enough.
        self.pause_until(patient_until_s, lambda: self._spawned or runner.user_count >= spec.users)

    def _begin(self, warm_until_s: float) -> float:
        """Wait for the judged part; returns at which second of the run it begins."""
        spec = self._spec
        if self._shaped and not spec.warmup_s and self._first_s is not None:
            return self._first_s  # a shape is judged from its first user on
        self.pause_until(warm_until_s)
        steady_s = math.ceil(time.monotonic() - spec.started_monotonic_s)
        self.pause_until(spec.started_monotonic_s + steady_s)
        return steady_s

    def _hold_or_change_users(self, steady_s: float, end_s: float) -> None:
        spec = self._spec
        if self._shaped and spec.whole_shape:
            self.pause_until(math.inf)
        if not spec.stages or spec.rate_per_s is not None:
            self.pause_until(end_s)
            return
        held = spec.users
        while time.monotonic() < end_s and not self._over:
            wanted = round(spec.ramp.at(spec.warmup_s + time.monotonic() - steady_s))
            if wanted != held:
                self._change_users(wanted, abs(wanted - held) / (_STEP_S * _SPAWN_SHARE))
                held = wanted
            self.pause_until(min(time.monotonic() + _STEP_S, end_s))

    def _follow_orders(self) -> None:
        """Have as many users as the newest order says, and note when they are there, until the run is ended.

        The judged part begins with the first of these notes. `UsageError` when the file has a load shape of its own.
        """
        if self._shaped:
            raise UsageError(
                "the file has a load shape, which changes the load by itself: it must be a constant one", code="L016"
            )
        orders = OrderReader(Path(self._spec.folder))
        order: Order | None = None
        begun = False
        while not self._over:
            for order in orders.new_orders():
                self._spawned = False
                self._change_users(order.users, max(order.per_s, 1.0))
            if order is not None and self._spawned and self._runner.target_user_count == order.users:
                if not begun:
                    self._mark(STEADY, math.inf)
                self._marks.mark(LEVEL, self._marks.now_s, users=order.users)
                begun, order = True, None
            self.pause_until(time.monotonic() + _LOOK_FOR_ORDERS_S)
        self._end(self._marks.now_s)

    def _change_users(self, users: int, per_s: float) -> None:
        """Begin to have so many users; a change that has begun before, and is not done, is given up."""
        self._stop_changing()
        self._changing = gevent.spawn(self._runner.start, users, per_s)

    def _stop_changing(self) -> None:
        """Have no more users come or go: a master would order them from workers that have ended theirs already."""
        if self._changing is not None:
            self._changing.kill()

    def _end(self, planned_s: float) -> None:
        """Mark the end; then let every worker write the last judged second, and deliveries come, while users run."""
        if self._ended_s is not None and not self._interrupted.is_set():
            if not self._spec.warmup_s and self._first_s is not None:
                self._mark(STEADY, self._first_s)  # not from the next full second on, before which all may be over
            self._marks.mark(END, self._ended_s)
            self._marks.mark(ENDED_ITSELF, self._ended_s)
            return
        self._stop_changing()
        self._mark(END, planned_s)
        self._followed.end_at(time.monotonic())
        # In one process timers fire in the order of their times: its line is written before this pause is over.
        gevent.sleep(_OWN_LAST_LINE_S if self._spec.role is GeneratorRole.LOCAL else _LAST_LINE_S)
        patient_until_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < patient_until_s and self._followed.pending() and not self._interrupted.is_set():
            gevent.sleep(0.05)

    def _mark(self, name: str, planned_s: float) -> None:
        """Note when something was reached: as planned, or earlier when the run was interrupted."""
        self._marks.mark(name, min(self._marks.now_s, planned_s))
