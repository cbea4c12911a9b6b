"""Who steers a run: starts and changes the users, and marks when the judged part begins and ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from dbz.load.spec import GeneratorSpec
from dbz.runs.record import END, LOST_WORKERS, STEADY, LineFile

_SPAWN_SHARE_OF_WARMUP = 0.8
_SPAWN_PATIENCE_S = 30.0
_LAST_LINE_S = 0.15
_STEP_S = 1.0


class Steering:
    """Steers Locust's local or master runner through one run; `interrupted` ends it early."""

    def __init__(self, spec: GeneratorSpec, environment: Any, runner: Any, interrupted: Event) -> None:
        self._spec = spec
        self._environment = environment
        self._runner = runner
        self._interrupted = interrupted
        self._marks = LineFile(Path(spec.folder) / "marks.jsonl")

    def steer(self) -> None:
        """Do the whole run: warm-up, judged part, end. The marks are at full seconds, as the record is kept."""
        spec = self._spec
        warm_until_s = time.monotonic() + spec.warmup_s
        self._start_users()
        self.pause_until(warm_until_s)
        steady_s = math.ceil(time.monotonic() - spec.started_monotonic_s)
        self.pause_until(spec.started_monotonic_s + steady_s)
        if not self._interrupted.is_set():  # else nothing is judged, not even a millisecond
            self._mark(STEADY, steady_s)
        end_s = steady_s + math.ceil(spec.duration_s)
        self._hold_or_change_users(spec.started_monotonic_s + steady_s, spec.started_monotonic_s + end_s)
        self._mark(END, end_s)
        gevent.sleep(_LAST_LINE_S)  # every worker writes the last judged second while its users still run

    def close(self, lost_workers: int = 0) -> None:
        """Note how many workers of other machines were lost; nothing more will be marked."""
        if lost_workers:
            self._marks.write({"mark": LOST_WORKERS, "t": self._spec.duration_s, "count": lost_workers})
        self._marks.close()

    def pause_until(self, deadline_s: float, reached: Callable[[], bool] = lambda: False) -> None:
        """Wait until a moment, until something is reached, or until the run is interrupted."""
        while not self._interrupted.is_set() and not reached() and time.monotonic() < deadline_s:
            self._interrupted.wait(min(max(deadline_s - time.monotonic(), 0.0), 0.05))

    def _start_users(self) -> None:
        """Start all users within four fifths of the warm-up, or let the file's own load shape do it."""
        spec, runner = self._spec, self._runner
        if self._environment.shape_class is not None:
            runner.start_shape()
            return
        spawn_s = max(spec.warmup_s * _SPAWN_SHARE_OF_WARMUP, 0.5)
        gevent.spawn(runner.start, spec.users, max(math.ceil(spec.users / spawn_s), 1))
        patient_until_s = time.monotonic() + spec.warmup_s + _SPAWN_PATIENCE_S
        self.pause_until(patient_until_s, lambda: runner.user_count >= spec.users)

    def _hold_or_change_users(self, steady_s: float, end_s: float) -> None:
        spec = self._spec
        if not spec.stages or spec.rate_per_s is not None:
            self.pause_until(end_s)
            return
        held = spec.users
        while time.monotonic() < end_s and not self._interrupted.is_set():
            wanted = round(spec.ramp.at(spec.warmup_s + time.monotonic() - steady_s))
            if wanted != held:
                gevent.spawn(self._runner.start, wanted, max(abs(wanted - held), 1))
                held = wanted
            self.pause_until(min(time.monotonic() + _STEP_S, end_s))

    def _mark(self, name: str, planned_s: float) -> None:
        """Note when something was reached: as planned, or earlier when the run was interrupted."""
        now_s = time.monotonic() - self._spec.started_monotonic_s
        self._marks.write({"mark": name, "t": round(min(now_s, planned_s), 3)})
