"""One generator process from start to end: users, the judged part, the record."""

from __future__ import annotations

import gc
import logging
import math
import signal
import time
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust.argument_parser import get_parser
from locust.env import Environment

from dbz.load.generator import foreign, scenario, wire
from dbz.load.generator.health import Health
from dbz.load.generator.pacing import Arrivals, pace_tasks
from dbz.load.generator.session import Session
from dbz.load.spec import GeneratorSpec, Role
from dbz.runs.reading import END, STEADY
from dbz.runs.record import LineFile

_SPAWN_SHARE_OF_WARMUP = 0.8
_SPAWN_PATIENCE_S = 30.0
_WORKERS_PATIENCE_S = 30.0
_LAST_LINE_S = 0.15


class Run:
    """A load run as one process sees it. `interrupt` ends it early, in good order."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.spec = spec
        self._interrupted = Event()
        self._marks = LineFile(Path(spec.folder) / "marks.jsonl") if spec.role is not Role.WORKER else None

    def interrupt(self) -> None:
        """End the run now."""
        self._interrupted.set()

    def execute(self) -> None:
        """Do everything; returns when the record is complete. `UsageError` when the scenario is wrong."""
        environment = self._environment()
        if self.spec.role is Role.MASTER:
            self._command(environment, environment.create_master_runner("127.0.0.1", self.spec.master_port))
            return
        session = environment.dbz_session = Session(self.spec)
        arrivals = self._arrivals()
        foreign.listen(environment.events, session.recorder)
        runner = self._worker_runner(environment)
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        writer = Writer(session, runner, arrivals)
        gevent.spawn(wire.sweep_deadlines)
        gevent.spawn(writer.health.probe)
        writing = gevent.spawn(writer.write_every_second)
        if self.spec.role is Role.LOCAL:
            self._steer(environment, runner)
        else:
            gevent.wait([gevent.spawn(runner.greenlet.join), self._interrupted], count=1)
        writing.kill()
        environment.events.quitting.fire(environment=environment, reverse=True)
        runner.quit()
        writer.finish()

    def _environment(self) -> Any:
        spec = self.spec
        if spec.request is not None:
            classes, shape = [scenario.adhoc_user(spec.request)], None
        else:
            classes, shape = scenario.load_scenario(spec.scenario)
        options = get_parser().parse_args(["--headless", "--host", spec.target, "--users", str(spec.users)])
        for user_class in classes:
            user_class.host = spec.target  # the target of the run wins over one that is written in the file
        return Environment(
            user_classes=classes, shape_class=shape, host=spec.target, events=locust.events, parsed_options=options
        )

    def _worker_runner(self, environment: Any) -> Any:
        if self.spec.role is Role.WORKER:
            return environment.create_worker_runner("127.0.0.1", self.spec.master_port)
        return environment.create_local_runner()

    def _arrivals(self) -> Arrivals | None:
        if self.spec.rate_per_s is None:
            return None
        arrivals = Arrivals(self.spec.rate_per_s, self.spec.worker, self.spec.workers)
        pace_tasks(arrivals)
        return arrivals

    def _command(self, environment: Any, runner: Any) -> None:
        """Steer the workers of Locust's master once all of them are there."""
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        deadline_s = time.monotonic() + _WORKERS_PATIENCE_S
        while len(runner.clients.ready) < self.spec.workers and not self._interrupted.is_set():
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"only {len(runner.clients.ready)} of {self.spec.workers} workers connected")
            gevent.sleep(0.05)
        self._steer(environment, runner)
        runner.quit()

    def _steer(self, environment: Any, runner: Any) -> None:
        """Start the users, and mark when the judged part begins and ends: at full seconds, as the record is kept."""
        spec = self.spec
        warm_until_s = time.monotonic() + spec.warmup_s
        if environment.shape_class is not None:
            runner.start_shape()
        else:
            spawn_s = max(spec.warmup_s * _SPAWN_SHARE_OF_WARMUP, 0.5)
            gevent.spawn(runner.start, spec.users, max(math.ceil(spec.users / spawn_s), 1))
            self._until(lambda: runner.user_count >= spec.users, time.monotonic() + spec.warmup_s + _SPAWN_PATIENCE_S)
        self._until(lambda: False, warm_until_s)
        gc.collect()
        gc.freeze()  # users live to the end: walking over them at each collection would only cost pauses
        steady_s = math.ceil(time.monotonic() - spec.started_monotonic_s)
        self._until(lambda: False, spec.started_monotonic_s + steady_s)
        self._mark(STEADY, steady_s)
        end_s = steady_s + math.ceil(spec.duration_s)
        self._until(lambda: False, spec.started_monotonic_s + end_s)
        self._mark(END, end_s)
        gevent.sleep(_LAST_LINE_S)  # every worker writes the last judged second while its users still run

    def _until(self, reached: Any, deadline_s: float) -> None:
        while not self._interrupted.is_set() and not reached() and time.monotonic() < deadline_s:
            self._interrupted.wait(min(max(deadline_s - time.monotonic(), 0.0), 0.05))

    def _mark(self, name: str, planned_s: float) -> None:
        """Note when something was reached: as planned, or earlier when the run was interrupted."""
        if self._marks is not None:
            now_s = time.monotonic() - self.spec.started_monotonic_s
            self._marks.write({"mark": name, "t": round(min(now_s, planned_s), 3)})


class Writer:
    """Writes the record of one worker, once a second."""

    def __init__(self, session: Session, runner: Any, arrivals: Arrivals | None) -> None:
        self.health = Health(session.recorder)
        self._session = session
        self._runner = runner
        self._arrivals = arrivals

    def write_every_second(self) -> None:
        """Write at each full second of the run. Never returns."""
        recorder = self._session.recorder
        while True:
            gevent.sleep(math.floor(recorder.now_s) + 1 - recorder.now_s)
            self._session.deliveries.expire()
            self._write(dropped=0)

    def finish(self) -> None:
        """Write what is left and close the files."""
        self._session.deliveries.abandon()
        self._write(dropped=self._arrivals.not_begun() if self._arrivals else 0)
        self._session.recorder.close()

    def _write(self, dropped: int) -> None:
        self._session.recorder.write(
            {
                "users": self._runner.user_count,
                "cpu_percent": self.health.cpu_percent(),
                "late": self._arrivals.take_late() if self._arrivals else 0,
                "dropped": dropped,
                "deliveries": self._session.deliveries.take_counts(),
            }
        )


def execute(spec: GeneratorSpec) -> None:
    """Run one generator process; SIGTERM ends it early with a complete record."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run = Run(spec)
    gevent.signal_handler(signal.SIGTERM, run.interrupt)
    run.execute()
