"""Finding the capacity: a search whose steps are real runs, each of them on ground that no other step has marked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dbz.config.budgets import load_budgets
from dbz.config.model import Parsed
from dbz.config.phases import Phases
from dbz.config.profile import override
from dbz.errors import DbzError, UsageError
from dbz.load.allowed_hosts import reach
from dbz.load.capacity.result import conclude_capacity, step_of
from dbz.load.capacity.search import Answer, Bounds, Next, Tried, search
from dbz.load.phases import scaled, stack_for
from dbz.load.plan import URL_BUDGETS as URL_DEFAULT_BUDGETS
from dbz.load.plan import LoadPlan, new_run
from dbz.load.run import POLL_S, Surroundings, run_load
from dbz.measure.budget.budgets import parse_budget
from dbz.runs.capacity import RATE, USERS, Capacity, CapacityStep, load_text
from dbz.runs.folder import RunFolder, create_run_folder, new_run_id
from dbz.runs.schema import RunVerdict

REPEATED_LASTS = 2
"""A run that confirms an earlier one is this many times as long: the answer rests on it."""
EXPLORING_SHARE, EXPLORING_LEAST_S = 0.25, 3.0
"""A run that only looks for a load that does not hold is this share of a step long, and so many seconds at least."""
GOODPUT_SHARE = 0.99
"""A load of one URL holds when this share of the asked rate is answered well."""
URL_BUDGETS = "limit"
URL_START_PER_S = 50
_URL_USERS = (500, 5000)
"""Least and most users of a load of one URL: one for each arrival a second, since none may take more than a second."""
DEFAULT_MAX_USERS = 5000
DEFAULT_MAX_RATE_PER_S = 20_000
_START_SHARE = 8
RUNS = "runs"


@dataclass(frozen=True)
class CapacityPlan:
    """What to scale and how far: `plan` is the load at its profile's size, `step_s` the judged part of one run."""

    plan: LoadPlan
    bounds: Bounds
    step_s: float
    phases: Phases

    @property
    def scales_rate(self) -> bool:
        """Whether the rate of arrivals is changed from step to step, instead of the users."""
        return self.plan.profile.rate is not None

    def load_of(self, load: int) -> str:
        """A load for people: `260 users`, `120 arrivals/s`."""
        return load_text(RATE if self.scales_rate else USERS, load)


@dataclass(frozen=True)
class Ground:
    """Where one step runs: the base URL to load, and `check`, which raises a `DbzError` when that has ended."""

    target: str
    check: Callable[[], None]


@dataclass(frozen=True)
class Caller:
    """What the caller does around the steps.

    `prepare` gets a step's plan and gives the ground for it, which is up as long as the context lasts. `begins` gets
    the step and its plan, `ended` the run's folder too. `interrupted` says whether the user wants to stop.
    """

    prepare: Callable[[LoadPlan], AbstractContextManager[Ground]]
    begins: Callable[[Next, LoadPlan], None]
    ended: Callable[[CapacityStep, RunFolder], None]
    interrupted: Callable[[], bool]


def plan_capacity(
    plan: LoadPlan, phases: Phases, start: int | None, highest: int | None, step_s: float
) -> CapacityPlan:
    """The plan of a search; `UsageError` when the profile's load changes by itself or the bounds make no sense.

    A bare URL, of which nobody said how it is to be judged, is asked for at growing rates. Budgets about the number of
    users say nothing here, where that number is what is searched: they are left out.
    """
    if plan.request is not None and plan.profile.budgets == URL_DEFAULT_BUDGETS:
        plan = _bare_url(plan)
    profile = plan.profile
    if profile.stages or profile.shape:
        raise UsageError(f"profile '{profile.name}' changes its load by itself; a capacity search needs a constant one")
    if step_s < 1:
        raise UsageError("--step-duration must be at least 1s")
    budgets = [one for one in plan.budgets if one.of.metric.name != "users.held"]
    if not budgets:
        raise UsageError("no budget is left to judge by: those about the number of users do not count here")
    at_most = highest or (DEFAULT_MAX_RATE_PER_S if profile.rate is not None else DEFAULT_MAX_USERS)
    own = profile.users if profile.rate is None else profile.rate
    begin = start or min(max(math.ceil(own / _START_SHARE), 1), at_most)
    if begin > at_most:
        raise UsageError(f"--start {begin:,} is more than --max {at_most:,}")
    planned = CapacityPlan(replace(plan, budgets=budgets), Bounds(begin, at_most), step_s, phases)
    # A profile refuses some sizes, and that should be known before anything is started.
    plan_step(planned, Next(at_most, earlier=0))
    return planned


def _bare_url(plan: LoadPlan) -> LoadPlan:
    """A load of one URL in the open model, judged by whether the server keeps up."""
    keys: dict[str, object] = {"budgets": URL_BUDGETS}
    if plan.profile.rate is None:
        keys["rate"] = Parsed(URL_START_PER_S * _START_SHARE)
    return replace(plan, profile=override(plan.profile, keys), budgets=load_budgets(URL_BUDGETS))


def plan_step(plan: CapacityPlan, step: Next) -> LoadPlan:
    """The run of one step: the profile's load at another size."""
    profile, budgets = plan.plan.profile, plan.plan.budgets
    if plan.scales_rate:
        keys: dict[str, object] = {"rate": Parsed(step.load)}
        if profile.budgets == URL_BUDGETS:
            least, most = _URL_USERS
            keys["users"] = min(max(step.load, least), most)
            goodput = f">= {GOODPUT_SHARE * step.load:.6g}/s"
            budgets = [*budgets, parse_budget("goodput", "http", "rate", goodput, required=True)]
    else:
        keys = scaled(profile, step.load)
        if plan.plan.embedded:
            keys["stack"] = stack_for(profile, step.load)
    length_s = plan.step_s * (REPEATED_LASTS if step.earlier else 1)
    if step.exploring:
        length_s = min(max(EXPLORING_SHARE * length_s, EXPLORING_LEAST_S), length_s)
    # Users start no faster than the profile's do: signing in all at once is another load, and the backlog that it
    # leaves would be judged.
    ramp_s = 0.0 if plan.scales_rate else profile.warmup * step.load / profile.users
    least_s = min(profile.warmup, EXPLORING_LEAST_S if step.exploring else plan.step_s)
    keys |= {"duration": Parsed(length_s), "warmup": Parsed(max(least_s, ramp_s))}
    return replace(plan.plan, profile=override(profile, keys), budgets=budgets)


def find_capacity(plan: CapacityPlan, folder: Path, caller: Caller) -> Capacity:
    """Carry out the search and return what came of it, saved in `folder` after each step.

    Ctrl-C ends it with what is known by then. When something it needs ends, what is known is saved, then the error is
    raised.
    """
    begun_s, started = time.monotonic(), datetime.now(UTC)
    first = new_run(plan.plan, folder.name, started)
    steps: list[CapacityStep] = []
    tried: list[Tried] = []

    def save(*, over: bool = False, interrupted: bool = False) -> Capacity:
        elapsed_s = time.monotonic() - begun_s
        now = conclude_capacity(first, plan.bounds, plan.phases, steps, tried, over=over, interrupted=interrupted)
        now = now.model_copy(update={"duration_s": round(elapsed_s, 1)})
        now.save(folder)
        return now

    save()
    while isinstance(step := search(plan.bounds, tried), Next):
        try:
            done = None if caller.interrupted() else _run_step(plan, step, folder, caller)
        except DbzError:
            save(interrupted=True)
            raise
        if done is None:
            return save(interrupted=True)
        steps.append(done)
        tried.append(Tried(step.load, Answer(done.answer)))
        save()
        if done.answer != Answer.HOLDS and not plan.plan.embedded:
            _rest(plan.step_s, caller.interrupted)
    return save(over=True)


def _rest(length_s: float, interrupted: Callable[[], bool]) -> None:
    """Let a server end what an overload left behind: it is not the next step's."""
    end_s = time.monotonic() + length_s
    while time.monotonic() < end_s and not interrupted():
        time.sleep(POLL_S)


def _run_step(plan: CapacityPlan, step: Next, folder: Path, caller: Caller) -> CapacityStep | None:
    """One run; None when it was interrupted, because half a step decides nothing."""
    one = plan_step(plan, step)
    caller.begins(step, one)
    with caller.prepare(one) as ground:
        if caller.interrupted():
            return None
        reach(ground.target)
        run_folder = create_run_folder(folder / RUNS, new_run_id(f"{one.profile.name} {step.load}", datetime.now(UTC)))
        around = Surroundings(lambda *_: None, ground.check, caller.interrupted)
        run = run_load(replace(one, target=ground.target), run_folder, around)
    if run.verdict is RunVerdict.INTERRUPTED:
        return None
    done = step_of(run, step)
    caller.ended(done, run_folder)
    return done
