"""One generator process from start to end: its users, its record, and who steers it."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_STOPPED

from dbz.errors import DependencyError, UsageError
from dbz.load.generator import hooks
from dbz.load.generator.crowd import departures, population, spawning, user_classes
from dbz.load.generator.data.feeders import settle_feeders
from dbz.load.generator.deliveries.bus import MasterBus, sweep_rings
from dbz.load.generator.deliveries.relay import MasterRelay, WorkerRelay, listen
from dbz.load.generator.net import fence, waiting
from dbz.load.generator.net.channel import Channel, tolerate
from dbz.load.generator.pace import pauses
from dbz.load.generator.pace.pacing import Pacing
from dbz.load.generator.record import foreign, remote
from dbz.load.generator.record.marks import Marks
from dbz.load.generator.record.scenario_errors import ScenarioErrors
from dbz.load.generator.record.sinks import FileSink, MasterSink, Sink
from dbz.load.generator.record.writer import RecordWriter
from dbz.load.generator.repeat.repetition import repetition_of
from dbz.load.generator.repeat.user import adhoc_user
from dbz.load.generator.session import Session
from dbz.load.generator.setup.once import Preparation, prepares
from dbz.load.generator.setup.shared import SharedByMaster
from dbz.load.generator.steering import Steering, spawn_rate
from dbz.load.spec import GeneratorRole, GeneratorSpec
from dbz.runs.storage.record import EXIT_CODE

WORKERS_PATIENCE_S = 60.0
_STOP_PATIENCE_S = 3.0
"""How long users that are stopped may take: who swallows every exception is left where it is."""
_STOP_USER_S = 0.001
"""What each of many users adds to it: they say goodbye to the server."""
_LOOK_AT_STOPPER_S = 0.05
"""A task that stops the users is killed by that itself, and then nobody says that they are stopped."""
_LAST_WORD_S = 0.2
"""A worker's last messages are on their way in a thread of ZeroMQ, which ends with the process."""


class GeneratorProcess:
    """A load run as one process sees it. `interrupt` ends it early, in good order."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.spec = spec
        self._interrupted = Event()
        self._stopper: Any = None
        """The greenlet that stops the users, or did."""
        self._told_of_stop = Event()
        self._left = Event()
        """Whether the scenario ended this worker."""

    def interrupt(self) -> None:
        """End the run now."""
        self._interrupted.set()

    def execute(self) -> None:
        """Do everything; returns when the record is complete. `UsageError` when the scenario is wrong."""
        if self.spec.role is GeneratorRole.MASTER:
            self._command()
            return
        if self.spec.role is GeneratorRole.REMOTE:
            self.spec = remote.join(self.spec)
        self._generate()

    def _command(self) -> None:
        """Steer the workers of Locust's master once all of them are there."""
        marks = Marks(self.spec)
        errors = ScenarioErrors(marks)
        environment = self.environment_of(errors)
        Channel(self.spec.secret).install()
        runner = environment.create_master_runner(self.spec.master_host, self.spec.master_port)
        tolerate(runner)
        reception = remote.Reception(self.spec, runner)
        relay = MasterRelay(self.spec, runner)
        preparation = Preparation(self.spec, marks, self._interrupted)
        sharing = SharedByMaster(runner, preparation)
        self._initialize(environment, runner, errors)
        steering = Steering(self.spec, environment, runner, self._interrupted, marks, relay)
        runner.register_message(remote.LEFT_MESSAGE, steering.note_left)
        all_there_by_s = time.monotonic() + WORKERS_PATIENCE_S
        steering.pause_until(all_there_by_s, lambda: len(runner.clients.ready) >= self.spec.workers)
        if len(runner.clients.ready) < self.spec.workers and not self._interrupted.is_set():
            missing = f"only {len(runner.clients.ready)} of {self.spec.workers} workers came"
            raise DependencyError(f"{missing} within {WORKERS_PATIENCE_S:g} s", code="L013")
        if preparation.prepare():
            sharing.publish()
            steering.steer()
        self._stop(environment, lambda: runner.stop(send_stop_to_client=False))
        steering.note_lost(reception.end())
        if preparation.leaves_something:
            hooks.within(_STOP_PATIENCE_S + environment.stop_timeout, lambda: _wait_until_left(runner))
        preparation.clean_up()
        self._quit(environment, runner, marks)
        sweep_rings(Path(self.spec.folder))
        marks.close()

    def _generate(self) -> None:
        """Run users, and keep the record of what they do."""
        sink = self._sink()
        session = Session(self.spec, sink)
        environment = self.environment_of(session.errors)
        environment.dbz_session = session
        session.shares = population.group_shares(environment.user_classes)
        settle_feeders(self.spec.worker, self.spec.workers, self.spec.users, self.spec.seed)
        pacing = Pacing(self.spec, self._request_pace(environment))
        pauses.install()
        pacing.install()
        session.repetition = repetition_of(self.spec, session, pacing)
        if prepares():
            hooks.call_first(environment.events.test_start, lambda **_: pacing.begin())
        foreign.listen(environment.events, session.recorder, session.services)
        runner = self._runner(environment)
        if isinstance(sink, MasterSink):
            sink.send_by(runner.send_message)
        session.watch_requests(environment)
        marks = None if isinstance(sink, MasterSink) else Marks(self.spec)
        self._initialize(environment, runner, session.errors)
        gevent.spawn(waiting.sweep_deadlines)
        writer = RecordWriter(session, runner, pacing)
        writing = writer.start(environment.events)
        preparation: Preparation | None = None
        if self.spec.role is GeneratorRole.LOCAL and marks is not None:
            steering = Steering(self.spec, environment, runner, self._interrupted, marks, session.deliveries)
            preparation = Preparation(self.spec, marks, self._interrupted)
            if preparation.prepare():
                session.shared.put(preparation.shared or b"null")
                steering.steer()
        else:
            remote.obey(runner, self.interrupt, sink)
            session.shared.ask_master(runner)
            bus = session.bus if isinstance(session.bus, MasterBus) else None
            session.relay = WorkerRelay(self.spec, runner, session.deliveries, bus)
            listening = gevent.spawn(listen, session.deliveries)
            gevent.wait([gevent.spawn(runner.greenlet.join), self._interrupted, self._left], count=1)
            listening.kill()
            runner.last_received_spawn_timestamp = math.inf  # an order of users that is on its way comes too late
        writing.kill()
        self._stop(environment, runner.stop)
        # Before a worker tells its master that it quits: the master stops listening then.
        writer.finish(left=self._left.is_set())
        if self._left.is_set():
            runner.send_message(remote.LEFT_MESSAGE)
            gevent.wait([gevent.spawn(runner.greenlet.join), self._interrupted], count=1)
        if marks is not None:
            session.errors.report_to(marks)
        if preparation is not None:
            preparation.clean_up()
        if self.spec.role is not GeneratorRole.LOCAL:
            runner._send_stats()  # Locust's own last report, which its master waits for
        self._quit(environment, runner, marks)

    def _initialize(self, environment: Any, runner: Any, errors: ScenarioErrors) -> None:
        """Fire `init`; an error in it ends the process before it began, as it does in Locust."""
        try:
            environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
        except SystemExit as error:
            raise UsageError(f"a listener of init ended the program with code {error.code}", code="L005") from error
        if errors.setup:
            raise UsageError(errors.setup, code="L005")
        errors.on_setup_error = self.interrupt
        self._aim(environment)
        environment.events.test_start.add_listener(lambda **_: self._aim(environment))
        hooks.call_first(environment.events.test_stopping, self._on_stopping)
        environment.events.test_stop.add_listener(lambda **_: self._told_of_stop.set())

    def _aim(self, environment: Any) -> None:
        """The target that was named for the run wins over one that a listener sets, as it does over a class's own."""
        if not self.spec.hosts:
            environment.host = environment.parsed_options.host = self.spec.target

    def _leave(self, runner: Any) -> None:
        """What this worker does when its scenario quits: its users end, and it waits for the end of the run."""
        try:
            runner.stop()  # it ends whoever called as well, if that is a user
        finally:
            self._left.set()

    def _on_stopping(self, **_: Any) -> None:
        self._stopper = gevent.getcurrent()

    def _stop(self, environment: Any, stop: Callable[[], None]) -> None:
        """Stop the users, and go on without those that do not let themselves be stopped.

        A scenario or a load shape that stops them already (`runner.quit()`) is left to do so: to stop them a second
        time meanwhile would tell listeners twice, the second time when the record is closed.
        """
        users = max(self.spec.users, environment.runner.user_count)
        patience_s = environment.stop_timeout + _STOP_PATIENCE_S + users * _STOP_USER_S
        stopper, stopped = self._stopper, self._told_of_stop

        def stop_once() -> None:
            while stopper is not None and not stopper.dead and not stopped.is_set():
                stopped.wait(_LOOK_AT_STOPPER_S)
            stop()

        if not hooks.within(patience_s, stop_once):
            logging.warning("not all users ended: a task swallows every exception")
            environment.runner.update_state(STATE_STOPPED)
            environment.events.test_stop.fire(environment=environment)

    def _quit(self, environment: Any, runner: Any, marks: Marks | None) -> None:
        """Fire what Locust fires at its end, and note the exit code that a listener has set."""
        environment.events.quitting.fire(environment=environment, reverse=True)
        code = environment.process_exit_code
        if code is not None and marks is not None:
            marks.mark(EXIT_CODE, marks.now_s, code=code if isinstance(code, int) else 1)
        environment.events.quit.fire(exit_code=code or 0)
        hooks.within(_STOP_PATIENCE_S, lambda: runner.quit())
        if self.spec.role in (GeneratorRole.WORKER, GeneratorRole.REMOTE):
            gevent.sleep(_LAST_WORD_S)

    def _runner(self, environment: Any) -> Any:
        if self.spec.role is GeneratorRole.LOCAL:
            runner = environment.create_local_runner()
        else:
            Channel(self.spec.secret).install()
            runner = environment.create_worker_runner(self.spec.master_host, self.spec.master_port)
            hooks.when_scenario_calls(runner, "quit", lambda: self._leave(runner))
        departures.install(runner)
        spawning.install(runner)
        return runner

    def _request_pace(self, environment: Any) -> population.RequestPace | None:
        if self.spec.requests_per_s is None:
            return None
        return population.RequestPace(self.spec.requests_per_s, environment.user_classes, self.spec)

    def _sink(self) -> Sink:
        if self.spec.role is GeneratorRole.REMOTE:
            return MasterSink(self.spec.worker, self.spec.ticket)
        return FileSink(Path(self.spec.folder), self.spec.worker, self.spec.started_epoch_s)

    def environment_of(self, errors: ScenarioErrors) -> Any:
        """Locust's environment of the scenario, whose code is behind the fence and watched from its import on."""
        spec = self.spec
        fence.install(fence.fence_of(spec))
        hooks.watch(errors)
        if spec.request is not None:
            classes, shape = [adhoc_user(spec.request)], None
        else:
            classes, shape = user_classes.load_scenario(spec.scenario)
        user_classes.check_classes(spec.open_users, classes)
        user_classes.check_care(spec.without, classes)
        options = user_classes.locust_options(["--headless", "--users", str(spec.users)])
        # What Locust makes of -t and -r: shapes and scenarios reckon with these.
        options.run_time = None if spec.whole_shape or spec.ordered else math.ceil(spec.warmup_s + spec.duration_s)
        options.spawn_rate = spawn_rate(spec)
        options.tags = list(spec.tags) or options.tags
        options.exclude_tags = list(spec.exclude_tags) or options.exclude_tags
        classes = user_classes.tagged(classes, options)
        population.hold_connections(classes, spec)
        options.host = None if spec.hosts else spec.target
        for user_class in classes if options.host else ():
            user_class.host = options.host  # the target of the run wins over one that is written in the file
        return Environment(
            user_classes=classes,
            shape_class=shape,
            host=options.host,
            events=locust.events,
            stop_timeout=options.stop_timeout,
            parsed_options=options,
        )


def _wait_until_left(runner: Any) -> None:
    while runner.worker_count:
        gevent.sleep(0.05)


def execute(spec: GeneratorSpec) -> None:
    """Run one generator process; SIGTERM ends it early with a complete record."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    process = GeneratorProcess(spec)
    gevent.signal_handler(signal.SIGTERM, process.interrupt)
    process.execute()
