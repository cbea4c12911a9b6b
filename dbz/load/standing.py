"""A load at a low rate that goes on for as long as somebody wants to know: what was measured is taken bit by bit."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from dbz.config.load.profile import override
from dbz.config.source.model import Parsed
from dbz.errors import DbzError, DependencyError
from dbz.load.launch import GeneratorProcesses
from dbz.load.planning.plan import LoadPlan, LoadRequest, plan_load
from dbz.load.run import generator_spec
from dbz.measure.budget.measuring import Measurements
from dbz.runs.fold import Fold
from dbz.runs.schema import Window
from dbz.runs.storage.folder import RunFolder, create_run_folder
from dbz.runs.storage.reading import RecordReader

ROUND_S = 3600.0
"""The generator begins anew after so long, with a record of its own: neither grows for ever."""
_AGAIN_S = 30.0
"""A generator that ended early is started again no sooner than so long after its start."""
_ALL = Window(start_s=0.0, end_s=1e9)


def plan_standing(scenario: str, target: str, users: int, every_s: float) -> LoadPlan:
    """The plan of a load in which one of `users` begins a task of a scenario every `every_s` seconds.

    `scenario` is a profile or a Locust file. Whoever names a target here wants it asked, wherever it is. `UsageError`
    or `ConfigError` when something cannot be right.
    """
    allowed = [urlsplit(target).hostname or ""]
    plan = plan_load(LoadRequest(subject=scenario, target=target, allowed_targets=allowed))
    keys = {
        "rate": Parsed(1 / every_s),
        "duration": Parsed(ROUND_S),
        "warmup": Parsed(0.0),
        "stages": [],
        "shape": None,
    }
    keys |= {"users": users, "workers": 1, "requests": None, "connections": None, "pacing": None}
    # All of them in one club: what one of them says there reaches the others.
    profile = override(plan.profile, {**keys, "stack": {"clubs": 1}})
    return replace(plan, profile=profile, whole_shape=False)


class StandingLoad:
    """Makes the load of a plan until it is closed; `folder` is its own, and what was in it is gone."""

    def __init__(self, plan: LoadPlan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._generator: GeneratorProcesses | None = None
        self._reader = RecordReader(RunFolder(folder))
        self._started_s = self._taken_s = 0.0

    def take(self) -> Measurements:
        """What was measured since the last call.

        `DependencyError` says why nothing is: the generator could not begin, or ended; it is started again later.
        """
        trouble = self._keep_running()
        record = self._reader.poll()
        fold = Fold(_ALL).add_record(record)
        record.intervals.clear()
        for lines in (*record.workers.values(), record.server, record.machine, record.errors):
            lines.clear()
        now_s = time.monotonic()
        seconds, self._taken_s = now_s - self._taken_s, now_s
        if trouble:
            raise DependencyError(trouble, code="L014")
        return fold.measurements(seconds)

    def close(self) -> None:
        """End the load."""
        if self._generator is not None:
            self._generator.stop()
            self._generator = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep_running(self) -> str:
        """Start the generator when there is none, or when its round is over; why it does not run, if it does not."""
        trouble = ""
        if self._generator is not None:
            try:
                if self._generator.running():
                    return ""
                trouble = "the generator has ended" if self._generator.lost_workers else ""
            except DbzError as error:
                trouble = error.message
            self._generator.stop()
            self._generator = None
        if self._started_s and time.monotonic() - self._started_s < _AGAIN_S:
            return trouble or "the generator is not running; it is started again in a moment"
        self._start()
        return trouble

    def _start(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        folder = create_run_folder(self._folder.parent, self._folder.name)
        self._reader = RecordReader(folder)
        self._started_s = time.monotonic()
        self._taken_s = self._taken_s or self._started_s
        spec = generator_spec(self._plan, folder.path, self._started_s, datetime.now(UTC))
        self._generator = GeneratorProcesses(spec, folder)
