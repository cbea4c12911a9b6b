"""One generator process from start to end: its users, its record, and who steers it."""

from __future__ import annotations

import logging
import signal
import time
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust.env import Environment

from dbz.errors import DependencyError
from dbz.load.allowed_hosts import check_host
from dbz.load.generator import population, user_classes
from dbz.load.generator.data.feeders import settle_feeders
from dbz.load.generator.net import fence, wire
from dbz.load.generator.net.channel import Channel, tolerate
from dbz.load.generator.pacing import Pacing
from dbz.load.generator.record import foreign, remote
from dbz.load.generator.record.sinks import FileSink, MasterSink, Sink
from dbz.load.generator.record.writer import RecordWriter
from dbz.load.generator.session import Session
from dbz.load.generator.steering import Steering
from dbz.load.spec import GeneratorRole, GeneratorSpec

WORKERS_PATIENCE_S = 60.0


class GeneratorProcess:
    """A load run as one process sees it. `interrupt` ends it early, in good order."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.spec = spec
        self._interrupted = Event()

    def interrupt(self) -> None:
        """End the run now."""
        self._interrupted.set()

    def execute(self) -> None:
        """Do everything; returns when the record is complete. `UsageError` when the scenario is wrong."""
        if self.spec.role is GeneratorRole.MASTER:
            fence.install(fence.fence_of(self.spec))
            self._command(self._environment())
            return
        if self.spec.role is GeneratorRole.REMOTE:
            self.spec = remote.join(self.spec)
            for host in (self.spec.target, *self.spec.hosts):
                check_host(host, self.spec.allowed_targets)
        fence.install(fence.fence_of(self.spec))
        self._generate(self._environment())

    def _command(self, environment: Any) -> None:
        """Steer the workers of Locust's master once all of them are there."""
        Channel(self.spec.secret).install()
        runner = environment.create_master_runner(self.spec.master_host, self.spec.master_port)
        tolerate(runner)
        reception = remote.Reception(self.spec, runner)
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        steering = Steering(self.spec, environment, runner, self._interrupted)
        all_there_by_s = time.monotonic() + WORKERS_PATIENCE_S
        steering.pause_until(all_there_by_s, lambda: len(runner.clients.ready) >= self.spec.workers)
        if len(runner.clients.ready) < self.spec.workers and not self._interrupted.is_set():
            missing = f"only {len(runner.clients.ready)} of {self.spec.workers} workers came"
            raise DependencyError(f"{missing} within {WORKERS_PATIENCE_S:g} s")
        steering.steer()
        steering.close(lost_workers=reception.end())
        runner.quit()

    def _generate(self, environment: Any) -> None:
        """Run users, and keep the record of what they do."""
        sink = self._sink(environment)
        session = environment.dbz_session = Session(self.spec, sink)
        settle_feeders(self.spec.worker, self.spec.workers, self.spec.users, self.spec.seed)
        pacing = Pacing(self.spec, self._request_pace(environment))
        pacing.install()
        foreign.listen(environment.events, session.recorder)
        alone = self.spec.role is GeneratorRole.LOCAL
        runner = self._runner(environment)
        if isinstance(sink, MasterSink):
            remote.obey(runner, self.interrupt, sink)
        environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        gevent.spawn(wire.sweep_deadlines)
        writer = RecordWriter(session, runner, pacing)
        environment.events.spawning_complete.add_listener(writer.settle)
        writing = writer.start()
        if alone:
            steering = Steering(self.spec, environment, runner, self._interrupted)
            steering.steer()
            steering.close()
        else:
            gevent.wait([gevent.spawn(runner.greenlet.join), self._interrupted], count=1)
        writing.kill()
        runner.stop()
        writer.finish()  # before a worker tells its master that it quits: the master stops listening then
        environment.events.quitting.fire(environment=environment, reverse=True)
        runner.quit()

    def _runner(self, environment: Any) -> Any:
        if self.spec.role is GeneratorRole.LOCAL:
            return environment.create_local_runner()
        Channel(self.spec.secret).install()
        return environment.create_worker_runner(self.spec.master_host, self.spec.master_port)

    def _request_pace(self, environment: Any) -> population.RequestPace | None:
        if self.spec.requests_per_s is None:
            return None
        return population.RequestPace(self.spec.requests_per_s, environment.user_classes, self.spec)

    def _sink(self, environment: Any) -> Sink:
        if self.spec.role is GeneratorRole.REMOTE:
            return MasterSink(
                self.spec.worker, self.spec.ticket, lambda kind, data: environment.runner.send_message(kind, data)
            )
        return FileSink(Path(self.spec.folder), self.spec.worker, self.spec.started_epoch_s)

    def _environment(self) -> Any:
        spec = self.spec
        if spec.request is not None:
            classes, shape = [user_classes.adhoc_user(spec.request)], None
        else:
            classes, shape = user_classes.load_scenario(spec.scenario)
        user_classes.check_classes(spec.open_users, classes)
        population.hold_connections(classes, spec)
        options = user_classes.locust_options(["--headless", "--users", str(spec.users)])
        options.host = None if spec.hosts else spec.target
        for user_class in classes if options.host else ():
            user_class.host = options.host  # the target of the run wins over one that is written in the file
        return Environment(
            user_classes=classes, shape_class=shape, host=options.host, events=locust.events, parsed_options=options
        )


def execute(spec: GeneratorSpec) -> None:
    """Run one generator process; SIGTERM ends it early with a complete record."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    process = GeneratorProcess(spec)
    gevent.signal_handler(signal.SIGTERM, process.interrupt)
    process.execute()
