"""Writing the record of one worker, once a second."""

from __future__ import annotations

import logging
import math
from typing import Any

import gevent

from dbz.load.generator.hooks import call_first
from dbz.load.generator.pace.pacing import Pacing
from dbz.load.generator.record.health import Health
from dbz.load.generator.record.under_way import OLD_S, ages
from dbz.load.generator.session import Session
from dbz.measure.latency.series import RUNNING


class RecordWriter:
    """Collects what the parts of a worker know of the last second, and writes it."""

    def __init__(self, session: Session, runner: Any, pacing: Pacing) -> None:
        self._session = session
        self._runner = runner
        self._pacing = pacing
        self._health = Health(session.recorder)
        self._settled = False
        self._finished = False

    def start(self, events: Any) -> gevent.Greenlet:
        """Begin to measure this process and to write; the greenlet writes until it is killed.

        What there is is also written where users begin and end, so that the judged part can begin and end there, and
        before listeners look at Locust's statistics.
        """
        if self._runner.environment.shape_class is None:  # a shape is judged while its users start
            events.spawning_complete.add_listener(self.settle)
        for event in (events.test_start, events.test_stopping, events.test_stop):
            call_first(event, self._flush)
        call_first(events.test_stopping, self._pacing.end)
        self._health.settle()  # what was imported; then the walk over the users, while they run, is a short one
        gevent.spawn(self._health.probe)
        self._health.watch_collections()
        return gevent.spawn(self._write_every_second)

    def settle(self, **_: Any) -> None:
        """All users are there: a listener of Locust's `spawning_complete`, which comes before each part that is judged.

        Where a load changes within its judged part, only the first time: the pause would be part of what is measured.
        """
        if self._session.spec.ordered or not self._settled:
            self._settled = True
            self._health.settle()

    def finish(self, *, left: bool = False) -> None:
        """Write what is left and close the files; `left` says that the scenario ended this worker before the run."""
        self._session.deliveries.expire()
        self._session.deliveries.abandon()
        self._write({"dropped": self._pacing.not_begun(), **({"left": True} if left else {})})
        self._finished = True  # who does not let himself be stopped may fire events later still
        self._session.close()

    def _write_every_second(self) -> None:
        recorder = self._session.recorder
        while True:
            gevent.sleep(math.floor(recorder.now_s) + 1 - recorder.now_s)
            self._session.deliveries.expire()
            self._write({})

    def _flush(self, **_: Any) -> None:
        if not self._finished:
            self._write({})

    def _write(self, more: dict[str, Any]) -> None:
        running = ages()
        for operation, age_s in running:
            if age_s >= OLD_S:
                self._session.recorder.success(RUNNING, operation, age_s)
        line = {
            "users": self._runner.user_count,
            "running": len(running),
            "cpu_percent": self._health.cpu_percent(),
            **self._pacing.take_counts(),
            **self._session.take_counts(),
            **more,
        }
        try:
            self._session.recorder.write(line)
        except OSError as error:
            # Later seconds may be written again; whoever judges the run sees which one is missing.
            logging.getLogger(__name__).error("a second of the record is lost: %s", error)
