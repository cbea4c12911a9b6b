"""A search over a rate of arrivals: each look is a run of its own, on ground that no other one has marked."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dbz.load.allowed_hosts import reach
from dbz.load.capacity.hooks import SearchHooks
from dbz.load.capacity.plan import CapacityPlan, plan_run
from dbz.load.capacity.result import step_of
from dbz.load.capacity.search import Answer, Next
from dbz.load.run import POLL_S, Surroundings, run_load
from dbz.runs.capacity import RUNS, CapacityStep
from dbz.runs.folder import create_run_folder, new_run_id
from dbz.runs.schema import RunVerdict


class SeparateRuns:
    """Looks at rates; a context manager."""

    def __init__(self, plan: CapacityPlan, folder: Path, hooks: SearchHooks) -> None:
        self._plan, self._folder, self._hooks = plan, folder, hooks
        self._overloaded = False

    def __enter__(self) -> SeparateRuns:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing outlasts a run."""

    def look(self, step: Next) -> CapacityStep | None:
        """One run; None when it was interrupted, because half a run decides nothing."""
        if self._overloaded and not self._plan.plan.embedded:
            self._rest()
        plan = plan_run(self._plan, step.load, step.length)
        with self._hooks.prepare(plan) as ground:
            if self._hooks.interrupted():
                return None
            reach(ground.target)
            run_id = new_run_id(f"{plan.profile.name} {step.load}", datetime.now(UTC))
            folder = create_run_folder(self._folder / RUNS, run_id)
            around = Surroundings(lambda *_: None, ground.check, self._hooks.interrupted)
            run = run_load(replace(plan, target=ground.target), folder, around)
        if run.verdict is RunVerdict.INTERRUPTED:
            return None
        self._hooks.run_ended(folder)
        done = step_of(run, step)
        self._overloaded = done.answer != Answer.HOLDS
        return done

    def _rest(self) -> None:
        """Let a server end what an overload left behind: it is not the next run's."""
        end_s = time.monotonic() + self._plan.step_s
        while time.monotonic() < end_s and not self._hooks.interrupted():
            time.sleep(POLL_S)
