"""A load whose users are changed while it runs, and whose record is judged stretch by stretch while it grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from dbz.errors import DbzError, DependencyError, UsageError
from dbz.load.launch import GeneratorProcesses
from dbz.load.machine import MachineWatch
from dbz.load.new_run import new_run
from dbz.load.orders import Order, OrderWriter
from dbz.load.planning.plan import LoadPlan
from dbz.load.run import POLL_S, generator_spec, is_over, sampler_of, teardown_s
from dbz.runs.conclude import conclude
from dbz.runs.schema import Run, Window
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.part import is_written, part_of
from dbz.runs.storage.reading import Record, RecordReader
from dbz.runs.storage.record import SETUP_UNTIL

_CHANGE_PATIENCE_S = 90.0
"""How much longer than planned users may take to start or to end, and the processes before the first of them."""
_WRITING_PATIENCE_S = 3.0
_END_PATIENCE_S = 30.0
"""From asking the generator to end until its users have said goodbye."""


class LiveLoad:
    """One run of a plan; a context manager, at whose end the whole run is concluded and saved in its folder.

    `check` raises a `DbzError` when something that the run needs has ended, and `interrupted` says whether the user
    wants to stop: then nothing is waited for any more. Moments are seconds since the start of the run.
    """

    def __init__(
        self,
        plan: LoadPlan,
        folder: RunFolder,
        check: Callable[[], None],
        interrupted: Callable[[], bool],
        *,
        users_per_club: float = 0.0,
    ) -> None:
        self._plan, self._folder = plan, folder
        self._check, self._interrupted = check, interrupted
        self._users_per_club = users_per_club
        self._started_s, started = time.monotonic(), datetime.now(UTC)
        self._run = new_run(plan, folder.id, started)
        self._spec = replace(
            generator_spec(plan, folder.path, self._started_s, started), ordered=True, users_per_club=users_per_club
        )
        self._reader = RecordReader(folder)
        self._orders = OrderWriter(folder.path)
        self._closing = ExitStack()

    def __enter__(self) -> LiveLoad:
        plan, folder = self._plan, self._folder
        folder.save(self._run)
        with ExitStack() as opened:
            opened.callback(self._orders.close)
            opened.enter_context(sampler_of(plan, folder, self._started_s))
            self._machine = opened.enter_context(MachineWatch(plan.target, folder.machine, self._started_s))
            self._generator = opened.enter_context(GeneratorProcesses(self._spec, folder))
            self._closing = opened.pop_all()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._closing:
            self._generator.interrupt()
            with suppress(DbzError):  # of a generator that refused to begin: that is known by now
                self._see_off()
            self._generator.stop()
        self._conclude(error)

    def _see_off(self) -> None:
        """Wait until the generator has ended, as long as it is patient with its users and its teardown."""
        patient_until_s = self.now_s + _END_PATIENCE_S
        while self._generator.running(self._started_s + teardown_s(self._record)) and self.now_s < max(
            patient_until_s, teardown_s(self._record)
        ):
            self._machine.update()
            self._reader.poll()
            self._generator.wait(POLL_S)

    @property
    def now_s(self) -> float:
        """How long the run has lasted."""
        return time.monotonic() - self._started_s

    def change(self, users: int, per_s: float, before: int) -> bool:
        """Have so many users instead of `before`; whether they are there, or the user wants to stop.

        `DependencyError` when the generator does not manage.
        """
        try:
            self._orders.give(Order(users, per_s))
        except OSError as error:
            raise UsageError(f"cannot write to {self._folder.path}: {error.strerror}", code="E006") from error
        patient_until_s = self.now_s + abs(users - before) / per_s + _CHANGE_PATIENCE_S
        while self._record.levels < self._orders.count:
            if not self._poll():
                return False
            if self.now_s > max(patient_until_s, self._record.marks.get(SETUP_UNTIL, 0.0) + _CHANGE_PATIENCE_S):
                raise DependencyError(
                    f"the load generator did not bring {users:,} users in time",
                    hint=f"logs: {self._folder.logs}",
                    code="L014",
                )
        return True

    def wait_until(self, moment_s: float) -> bool:
        """Let the load go on until a moment; False when the user wants to stop before that."""
        while self.now_s < moment_s:
            if not self._poll():
                return False
        return True

    def judge(self, at: LoadPlan, window: Window) -> Run | None:
        """What a window, once it is written, says of the load that was there; None when the user wants to stop."""
        patient_until_s = window.end_s + _WRITING_PATIENCE_S
        while not is_written(self._record, window.end_s) and self.now_s < patient_until_s:
            if not self._poll():
                return None
        run = self._run.model_copy(update={"profile": at.profile.plain})
        lost = self._generator.lost_workers + self._record.lost_workers
        return conclude(run, part_of(self._record, window), at.budgets, lost_workers=lost, window=window)

    @property
    def _record(self) -> Record:
        return self._reader.record

    def _poll(self) -> bool:
        """Look after everything once; False when the user wants to stop."""
        self._generator.wait(POLL_S)
        self._machine.update()
        record = self._reader.poll()
        self._check()
        if self._interrupted():
            return False
        if not self._generator.running() or is_over(record, self.now_s):
            raise DependencyError(
                "the load ended before the search did", hint=f"logs: {self._folder.logs}", code="L014"
            )
        return True

    def _conclude(self, error: BaseException | None) -> None:
        record = self._reader.poll()
        lost = self._generator.lost_workers + record.lost_workers
        run = conclude(
            self._run,
            record,
            self._plan.budgets,
            lost_workers=lost,
            interrupted=self._interrupted() or error is not None,
        )
        if isinstance(error, DbzError):
            run = run.model_copy(update={"reasons": [error.message, *run.reasons]})
        levels = "its users were changed to find the capacity: capacity.json says what was judged when"
        self._folder.save(run.model_copy(update={"notes": [levels, *run.notes]}))
