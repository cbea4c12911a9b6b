"""What a capacity search loads: the profile at any size, how long each look is, and in which bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dbz.config.budgets import load_budgets
from dbz.config.load.profile import override
from dbz.config.phases.plan import Phases
from dbz.config.source.model import Parsed
from dbz.errors import UsageError
from dbz.load.capacity.looks import Length
from dbz.load.capacity.search import Bounds
from dbz.load.planning.phases import scaled, stack_for
from dbz.load.planning.plan import URL_BUDGETS as URL_DEFAULT_BUDGETS
from dbz.load.planning.plan import LoadPlan
from dbz.measure.budget.budgets import parse_budget
from dbz.runs.capacity import RATE, USERS, load_text

BRIEF_SHARE, BRIEF_LEAST_S = 0.25, 3.0
"""A brief look is this share of a step long, and so many seconds at least."""
GOODPUT, GOODPUT_SHARE = "goodput", 0.99
"""A load of one URL holds when this share of the asked rate is answered well."""
URL_BUDGETS = "limit"
URL_START_PER_S = 50
_URL_USERS = (500, 5000)
"""Least and most users of a load of one URL: one for each arrival a second, since none may take more than a second."""
DEFAULT_MAX_USERS = 5000
DEFAULT_MAX_RATE_PER_S = 20_000
SETTLE_SHARE_OF_WARMUP = 0.4
"""When the last user has started, so much of the profile's warm-up passes before anything is judged."""
_BRINGING_S = 4.0
"""About how long the users of a look take to come, or its run to begin and to end."""
_START_SHARE = 8
STEPS_WITHIN, WITHIN_LEAST_S = 20, 300.0
"""A search ends after the time of so many full looks, and five minutes at least, when nobody says otherwise."""
_STARTING_SHARE_OF_WARMUP, _STARTING_LEAST_S = 0.8, 0.5
"""In so much of the warm-up the users of a profile start, as they do in a run of it."""


@dataclass(frozen=True)
class CapacityPlan:
    """What to scale and how far: `plan` is the load at its profile's size, `step_s` the judged part of a full look."""

    plan: LoadPlan
    bounds: Bounds
    step_s: float
    phases: Phases
    within_s: float = math.inf
    """After so long the search ends with what is known."""
    ramps: bool = False
    """Whether a growing rate goes before the search, to learn where it should begin."""

    @property
    def scales_rate(self) -> bool:
        """Whether the rate of arrivals is changed, each in a run of its own, instead of the users of one run."""
        return self.plan.profile.rate is not None

    @property
    def users_per_s(self) -> float:
        """How fast users start: no faster than those of the profile do, for signing in all at once is another load."""
        profile = self.plan.profile
        return profile.users / max(profile.warmup * _STARTING_SHARE_OF_WARMUP, _STARTING_LEAST_S)

    def length_s(self, length: Length) -> float:
        """How many seconds are judged in a look."""
        if length is Length.BRIEF:
            return min(max(BRIEF_SHARE * self.step_s, BRIEF_LEAST_S), self.step_s)
        return self.step_s

    def look_s(self, length: Length) -> float:
        """About how long a look takes, with what goes before it."""
        warmup_s = self.plan.profile.warmup
        before_s = min(warmup_s, self.step_s) if self.scales_rate else SETTLE_SHARE_OF_WARMUP * warmup_s
        return _BRINGING_S + before_s + self.length_s(length)

    def load_of(self, load: int) -> str:
        """A load for people: `260 users`, `120 arrivals/s`."""
        return load_text(RATE if self.scales_rate else USERS, load)


def plan_capacity(
    plan: LoadPlan,
    phases: Phases,
    start: int | None,
    highest: int | None,
    step_s: float,
    within_s: float | None = None,
) -> CapacityPlan:
    """The plan of a search; `UsageError` when the profile's load changes by itself or the bounds make no sense.

    Without `within_s` it ends after the time of `STEPS_WITHIN` full looks, or five minutes. A bare URL, of which nobody
    said how it is to be judged, is asked for at growing rates. Budgets about the number of users say nothing here,
    where that number is what is searched: they are left out.
    """
    if plan.request is not None and plan.profile.budgets == URL_DEFAULT_BUDGETS:
        plan = _bare_url(plan)
    profile = plan.profile
    if profile.stages or profile.shape:
        raise UsageError(
            f"profile '{profile.name}' changes its load by itself; a capacity search needs a constant one", code="L016"
        )
    if profile.arrivals:
        raise UsageError(
            f"profile '{profile.name}' plays recorded arrivals; a capacity search needs a constant load", code="L016"
        )
    if step_s < 1:
        raise UsageError("--step-duration must be at least 1s", code="E002")
    if within_s is not None and within_s < step_s:
        raise UsageError("--within must be at least --step-duration", code="E002")
    budgets = [one for one in plan.budgets if one.of.metric.name != "users.held"]
    if not budgets:
        raise UsageError(
            "no budget is left to judge by: those about the number of users do not count here", code="L018"
        )
    at_most = highest or (DEFAULT_MAX_RATE_PER_S if profile.rate is not None else DEFAULT_MAX_USERS)
    own = profile.users if profile.rate is None else profile.rate
    begin = start or min(max(math.ceil(own / _START_SHARE), 1), at_most)
    if begin > at_most:
        raise UsageError(f"--start {begin:,} is more than --max {at_most:,}", code="E002")
    ramps = profile.rate is not None and start is None
    planned = CapacityPlan(
        replace(plan, budgets=budgets),
        Bounds(begin, at_most),
        step_s,
        phases,
        within_s or max(STEPS_WITHIN * step_s, WITHIN_LEAST_S),
        ramps,
    )
    # A profile refuses some sizes, and that should be known before anything is started.
    plan_at(planned, at_most)
    return planned


def _bare_url(plan: LoadPlan) -> LoadPlan:
    """A load of one URL in the open model, judged by whether the server keeps up."""
    keys: dict[str, object] = {"budgets": URL_BUDGETS}
    if plan.profile.rate is None:
        keys["rate"] = Parsed(URL_START_PER_S * _START_SHARE)
    return replace(plan, profile=override(plan.profile, keys), budgets=load_budgets(URL_BUDGETS))


def plan_at(plan: CapacityPlan, load: int) -> LoadPlan:
    """The profile's load at another size, with the budgets by which it is judged there."""
    profile, budgets = plan.plan.profile, plan.plan.budgets
    if not plan.scales_rate:
        keys = {**scaled(profile, load), "workers": profile.workers}
    else:
        keys = {"rate": Parsed(load)}
        if profile.budgets == URL_BUDGETS:
            least, most = _URL_USERS
            keys["users"] = min(max(load, least), most)
            goodput = f">= {GOODPUT_SHARE * load:.6g}/s"
            budgets = [*budgets, parse_budget(GOODPUT, "http", "rate", goodput, required=True)]
    return replace(plan.plan, profile=override(profile, keys), budgets=budgets)


def plan_run(plan: CapacityPlan, load: int, length: Length) -> LoadPlan:
    """The run of one look at a rate of arrivals."""
    at = plan_at(plan, load)
    warmup = min(at.profile.warmup, BRIEF_LEAST_S if length is Length.BRIEF else plan.step_s)
    keys = {"duration": Parsed(plan.length_s(length)), "warmup": Parsed(warmup)}
    return replace(at, profile=override(at.profile, keys))


def plan_all_levels(plan: CapacityPlan) -> LoadPlan:
    """The one load whose users are changed: its stack has the clubs that the most users need."""
    profile = plan.plan.profile
    if not plan.plan.embedded:
        return plan.plan
    return replace(plan.plan, profile=override(profile, {"stack": stack_for(profile, plan.bounds.highest)}))
