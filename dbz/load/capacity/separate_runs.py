"""A search over a rate of arrivals: each look is a run of its own, on ground that no other one has marked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dbz.load.capacity.hooks import SearchHooks
from dbz.load.capacity.looks import Answer
from dbz.load.capacity.plan import CapacityPlan, plan_run
from dbz.load.capacity.ramp import knee_per_s, plan_ramp, ramp_seconds
from dbz.load.capacity.result import step_of
from dbz.load.capacity.search import Next
from dbz.load.planning.plan import LoadPlan
from dbz.load.run import POLL_S, Surroundings, run_load
from dbz.load.target.allowed_hosts import reach
from dbz.runs.capacity import RUNS, CapacityRamp, CapacityStep
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder, create_run_folder, new_run_id
from dbz.runs.storage.reading import Record

Follow = Callable[[Record], None]


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
        run, folder = self._run(plan, str(step.load), lambda _record: None, self._hooks.interrupted)
        if run is None or run.verdict is RunVerdict.INTERRUPTED:
            return None
        self._hooks.run_ended(folder)
        done = step_of(run, step)
        self._overloaded = done.answer != Answer.HOLDS
        return done

    def ramp(self) -> CapacityRamp | None:
        """One run at a growing rate, until the target falls behind; None when the user wants to stop."""
        bounds, knee = self._plan.bounds, None
        self._hooks.ramping(bounds.start, bounds.highest)

        def follow(record: Record) -> None:
            nonlocal knee
            knee = found if (found := knee_per_s(ramp_seconds(record))) is None else round(found, 1)

        plan = plan_ramp(self._plan)
        run, folder = self._run(plan, "ramp", follow, lambda: self._hooks.interrupted() or knee is not None)
        if run is None or self._hooks.interrupted():
            return None
        note = "the rate grew until the target fell behind: it says where a search for the capacity begins"
        folder.save(run.model_copy(update={"notes": [note, *run.notes]}))
        self._hooks.run_ended(folder)
        self._hooks.ramped(knee)
        self._overloaded = knee is not None
        return CapacityRamp(run=run.id, first_per_s=bounds.start, highest_per_s=bounds.highest, knee_per_s=knee)

    def _run(
        self, plan: LoadPlan, name: str, follow: Follow, ended: Callable[[], bool]
    ) -> tuple[Run | None, RunFolder]:
        """The conclusion of a run, None when the user wants to stop before it, and its folder."""
        run_id = new_run_id(f"{plan.profile.name} {name}", datetime.now(UTC))
        with self._hooks.prepare(plan) as ground:
            folder = create_run_folder(self._folder / RUNS, run_id)
            if self._hooks.interrupted():
                return None, folder
            reach(ground.target)
            around = Surroundings(lambda record, *_: follow(record), ground.check, ended)
            return run_load(replace(plan, target=ground.target), folder, around), folder

    def _rest(self) -> None:
        """Let a server end what an overload left behind: it is not the next run's."""
        end_s = time.monotonic() + self._plan.step_s
        while time.monotonic() < end_s and not self._hooks.interrupted():
            time.sleep(POLL_S)
