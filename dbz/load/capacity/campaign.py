"""Finding the capacity: look after look, until the search knows enough or the user wants to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dbz.errors import DbzError
from dbz.load.capacity.hooks import SearchHooks
from dbz.load.capacity.levels import LiveLevels
from dbz.load.capacity.looks import Length, Tried
from dbz.load.capacity.plan import CapacityPlan
from dbz.load.capacity.ramp import bounds_from
from dbz.load.capacity.result import conclude_capacity, tried_by
from dbz.load.capacity.search import Bounds, Next, last_look, search
from dbz.load.capacity.separate_runs import SeparateRuns
from dbz.load.new_run import new_run
from dbz.runs.capacity import Capacity, CapacityRamp, CapacityStep
from dbz.units import format_duration


def find_capacity(plan: CapacityPlan, folder: Path, hooks: SearchHooks) -> Capacity:
    """Carry out the search and return what came of it, saved in `folder` after each look.

    Ctrl-C ends it with what is known by then. When something it needs ends, what is known is saved, then the error is
    raised.
    """
    begun_s, started = time.monotonic(), datetime.now(UTC)
    first = new_run(plan.plan, folder.name, started)
    steps: list[CapacityStep] = []
    tried: list[Tried] = []
    ramp: CapacityRamp | None = None

    out_of_time = ""

    def save(*, over: bool = False, interrupted: bool = False) -> Capacity:
        elapsed_s = time.monotonic() - begun_s
        now = conclude_capacity(
            first, plan.bounds, plan.phases, steps, tried, over=over, interrupted=interrupted, out_of_time=out_of_time
        )
        now = now.model_copy(update={"duration_s": round(elapsed_s, 1), "ramp": ramp})
        now.save(folder)
        return now

    save()
    looks = SeparateRuns(plan, folder, hooks) if plan.scales_rate else LiveLevels(plan, folder, hooks)
    bounds = plan.bounds
    interrupted = False
    try:
        with looks:
            if plan.ramps and isinstance(looks, SeparateRuns):
                ramp = looks.ramp()
                interrupted = ramp is None
                bounds = bounds if ramp is None else bounds_from(bounds, ramp.knee_per_s)
            while not interrupted and isinstance(step := search(bounds, tried), Next):
                left_s = begun_s + plan.within_s - time.monotonic()
                if (look := _within(plan, bounds, tried, step, left_s)) is None:
                    out_of_time = format_duration(plan.within_s)
                    break
                step = look
                hooks.begins(step, plan.length_s(step.length))
                done = None if hooks.interrupted() else looks.look(step)
                if done is None:
                    interrupted = True
                    continue
                steps.append(done)
                tried.append(tried_by(step, done))
                save()
                hooks.ended(done)
    except DbzError:
        save(interrupted=True)
        raise
    return save(over=not interrupted, interrupted=interrupted)


def _within(plan: CapacityPlan, bounds: Bounds, tried: Sequence[Tried], step: Next, left_s: float) -> Next | None:
    """What to look at with so much time left: the next step, or what only a last look can tell; None without time."""
    if not tried:
        return step
    if left_s < plan.look_s(step.length):
        return None
    if left_s < 2 * plan.look_s(Length.FULL):
        return last_look(bounds, tried) or step
    return step
