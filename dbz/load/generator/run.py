"""One generator process from start to end: its users, its record, and who steers it."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust.argument_parser import get_parser
from locust.env import Environment

from dbz.load.generator import foreign, population, scenario, wire
from dbz.load.generator.pacing import Pacing
from dbz.load.generator.session import Session
from dbz.load.generator.steering import Steering
from dbz.load.generator.writer import Writer
from dbz.load.spec import GeneratorSpec, Role

_WORKERS_PATIENCE_S = 30.0


class Run:
    """A load run as one process sees it. `interrupt` ends it early, in good order."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.spec = spec
        self._interrupted = Event()

    def interrupt(self) -> None:
        """End the run now."""
        self._interrupted.set()

    def execute(self) -> None:
        """Do everything; returns when the record is complete. `UsageError` when the scenario is wrong."""
        environment = self._environment()
        if self.spec.role is Role.MASTER:
            self._command(environment)
        else:
            self._generate(environment)

    def _command(self, environment: Any) -> None:
        """Steer the workers of Locust's master once all of them are there."""
        runner = environment.create_master_runner("127.0.0.1", self.spec.master_port)
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        steering = Steering(self.spec, environment, runner, self._interrupted)
        all_there_by_s = time.monotonic() + _WORKERS_PATIENCE_S
        steering.pause_until(all_there_by_s, lambda: len(runner.clients.ready) >= self.spec.workers)
        if len(runner.clients.ready) < self.spec.workers and not self._interrupted.is_set():
            raise RuntimeError(f"only {len(runner.clients.ready)} of {self.spec.workers} workers connected")
        steering.steer()
        runner.quit()

    def _generate(self, environment: Any) -> None:
        """Run users, and keep the record of what they do."""
        session = environment.dbz_session = Session(self.spec)
        pacing = Pacing(self.spec, self._request_pace(environment))
        pacing.install()
        foreign.listen(environment.events, session.recorder)
        alone = self.spec.role is Role.LOCAL
        runner = self._local_runner(environment) if alone else self._worker_runner(environment)
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        gevent.spawn(wire.sweep_deadlines)
        writer = Writer(session, runner, pacing)
        writing = writer.start()
        if alone:
            Steering(self.spec, environment, runner, self._interrupted).steer()
        else:
            gevent.wait([gevent.spawn(runner.greenlet.join), self._interrupted], count=1)
        writing.kill()
        environment.events.quitting.fire(environment=environment, reverse=True)
        runner.quit()
        writer.finish()

    def _local_runner(self, environment: Any) -> Any:
        return environment.create_local_runner()

    def _worker_runner(self, environment: Any) -> Any:
        return environment.create_worker_runner("127.0.0.1", self.spec.master_port)

    def _request_pace(self, environment: Any) -> population.RequestPace | None:
        if self.spec.requests_per_s is None:
            return None
        return population.RequestPace(self.spec.requests_per_s, environment.user_classes, self.spec)

    def _environment(self) -> Any:
        spec = self.spec
        if spec.request is not None:
            classes, shape = [scenario.adhoc_user(spec.request)], None
        else:
            classes, shape = scenario.load_scenario(spec.scenario)
        scenario.check_classes(spec.open_users, classes)
        population.hold_connections(classes, spec)
        options = get_parser().parse_args(["--headless", "--host", spec.target, "--users", str(spec.users)])
        for user_class in classes:
            user_class.host = spec.target  # the target of the run wins over one that is written in the file
        return Environment(
            user_classes=classes, shape_class=shape, host=spec.target, events=locust.events, parsed_options=options
        )


def execute(spec: GeneratorSpec) -> None:
    """Run one generator process; SIGTERM ends it early with a complete record."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run = Run(spec)
    gevent.signal_handler(signal.SIGTERM, run.interrupt)
    run.execute()
