"""From the looks of a capacity search to what they say: pure functions over the conclusions of runs and their parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from dbz.config.phases.plan import Phase, Phases
from dbz.load.capacity.looks import Answer, Tried
from dbz.load.capacity.search import INTERVAL, Bounds, Next, SearchResult, interval, known
from dbz.load.capacity.uses import as_evidence, has_upper_limit, share_used, uses_of
from dbz.measure.latency.series import HTTP, REQUEST_KINDS
from dbz.measure.scalability import fit
from dbz.runs.capacity import (
    RATE,
    USERS,
    Capacity,
    CapacityFigures,
    CapacityStep,
    Headroom,
    LimitInterval,
    ScalabilityFit,
    StepOutcome,
    load_text,
)
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.runs.services import mean_processes
from dbz.runs.validity.arrivals import were_dropped
from dbz.runs.validity.machine import BUSY_PERCENT, taken_text
from dbz.units import counted

_WIDE = 1.5
"""An interval so many times as wide as the tolerance is not what was asked for."""
TAKEN_PERCENT = 50.0
"""When something else takes more of the machine, what does not hold is no fault of the server."""


def step_of(run: Run, step: Next) -> CapacityStep:
    """The conclusion of a run, or of a part of one, as a step of the search."""
    used = [(share_used(one), one.name) for one in run.budgets if has_upper_limit(one)]
    share, tightest = max(used, default=(None, ""))
    return CapacityStep(
        run=run.id,
        start_s=run.window.start_s,
        load=step.load,
        repeated=step.earlier,
        judged_s=run.window.seconds,
        answer=_answer(run).value,
        attempts_per_s=sum(one.rate_per_s for one in run.operations if one.kind in REQUEST_KINDS),
        requests_per_s=sum(one.rate_per_s for one in run.operations if one.kind == HTTP),
        connections=run.server.connections if run.server else None,
        server_cpu_percent=run.server.cpu_percent if run.server else None,
        others_percent=round(run.machine.disturbed_percent, 1) if run.machine else None,
        used=None if share is None or math.isinf(share) else round(share, 4),
        tightest=tightest,
        uses=uses_of(run.budgets, step.load),
        broken=sorted((one for one in run.budgets if _broken(one)), key=share_used, reverse=True),
        reasons=[*_taken(run), *run.reasons],
        services=run.service_processes,
    )


def _taken(run: Run) -> list[str]:
    if run.machine is None or run.verdict is RunVerdict.PASS or not _machine_was_taken(run):
        return []
    return [f"the machine was busy with something else: {taken_text(run.machine)}"]


def tried_by(step: Next, done: CapacityStep) -> Tried:
    """What a look says to the search: how much of its limit each budget used, where the look decided anything."""
    answer = Answer(done.answer)
    uses = () if answer is Answer.UNDECIDED else tuple(map(as_evidence, done.uses))
    return Tried(step.load, answer, step.length, uses, done.server_cpu_percent)


def _answer(run: Run) -> Answer:
    if run.verdict is RunVerdict.PASS:
        return Answer.HOLDS
    if _machine_was_taken(run):
        return Answer.UNDECIDED
    if run.verdict is RunVerdict.FAIL or _only_users_ran_out(run):
        return Answer.BREAKS
    return Answer.UNDECIDED


def _machine_was_taken(run: Run) -> bool:
    return run.machine is not None and run.machine.disturbed_percent > TAKEN_PERCENT


def _only_users_ran_out(run: Run) -> bool:
    """Whether a run is invalid only because no user was free for some arrivals, while budgets broke too: then the
    users were waiting for the server."""
    broken = sum(_broken(one) for one in run.budgets)
    health = run.generator
    if health is None or not broken or len(run.reasons) - broken != 1:
        return False
    return were_dropped(health)


def _broken(budget: BudgetResult) -> bool:
    return bool(budget.reason)


def conclude_capacity(
    first: Run,
    bounds: Bounds,
    phases: Phases,
    steps: Sequence[CapacityStep],
    tried: Sequence[Tried],
    *,
    over: bool,
    interrupted: bool,
    out_of_time: str = "",
) -> Capacity:
    """Everything that follows from the steps so far; `first` says what is being loaded, `out_of_time` after how long
    the search was ended because it was to take no longer."""
    found = known(bounds, tried)
    rate = first.profile.get("rate") is not None
    scaled = RATE if rate else USERS
    figures = _figures(found, first, steps, rate=rate)
    outcome = _outcome(found, bounds, over=over, interrupted=interrupted)
    between = _between(interval(bounds, tried))
    failing = [step for step in steps if found.limit and step.load == found.limit.load]
    embedded_servers = int(first.profile["stack"]["processes"]) if first.embedded else None
    return Capacity(
        id=first.id,
        started=first.started,
        outcome=outcome,
        statement=_statement(outcome, found, bounds, failing, partial(load_text, scaled), out_of_time),
        profile=first.profile,
        target=first.target,
        embedded=first.embedded,
        api_servers=embedded_servers,
        scaled=scaled,
        tolerance=bounds.tolerance,
        capacity=figures,
        limit=found.limit.load if found.limit else None,
        between=between,
        broken=_worst(failing),
        notes=[
            *_unsure(between, bounds, over=over, out_of_time=out_of_time),
            *_notes(steps, partial(load_text, scaled)),
        ],
        phases=[headroom(figures, phase) for phase in phases.phases] if figures else [],
        scalability=None if rate else scalability(steps),
        steps=list(steps),
        versions=first.versions,
        environment=first.environment,
    )


def _between(ends: tuple[int, int] | None) -> LimitInterval | None:
    return None if ends is None else LimitInterval(low=ends[0], high=ends[1], probability=INTERVAL)


def _figures(found: SearchResult, first: Run, steps: Sequence[CapacityStep], *, rate: bool) -> CapacityFigures | None:
    if found.holds is None:
        return None
    there = [step for step in steps if step.load == found.holds and step.answer == Answer.HOLDS]
    connections = [step.connections for step in there if step.connections is not None]
    return CapacityFigures(
        load=found.holds,
        users=int(first.profile["users"]) if rate else found.holds,
        rate_per_s=float(found.holds) if rate else None,
        attempts_per_s=round(sum(step.attempts_per_s for step in there) / len(there), 3),
        requests_per_s=round(sum(step.requests_per_s for step in there) / len(there), 3),
        connections=max(connections, default=None),
        services=mean_processes([step.services for step in there]),
    )


def _worst(failing: Sequence[CapacityStep]) -> list[BudgetResult]:
    """Each broken budget once, as broken as it was at worst, the worst first."""
    by_name: dict[str, BudgetResult] = {}
    for budget in sorted((one for step in failing for one in step.broken), key=share_used, reverse=True):
        by_name.setdefault(budget.name, budget)
    return list(by_name.values())


def _notes(steps: Sequence[CapacityStep], text_of: Callable[[int], str]) -> list[str]:
    """What makes figures worse than the code: another use of the machine, and an overload that did not pass."""
    busy = [others for step in steps if (others := step.others_percent or 0.0) > BUSY_PERCENT]
    disturbed = (
        f"the machine was busy with something else at {len(busy)} of {counted(len(steps), 'step')}, which took up to "
        f"{max(busy, default=0.0):.0f} % of it: the capacity may be higher, so search again when it is quiet"
    )
    stuck = [
        f"after {text_of(before.load)} the server did not recover within {after.recovery_s:.0f} s: "
        f"what {text_of(after.load)} showed then may be the fault of that overload"
        for before, after in pairwise(steps)
        if not after.recovered
    ]
    return [*([disturbed] if busy else []), *stuck]


def _unsure(between: LimitInterval | None, bounds: Bounds, *, over: bool, out_of_time: str) -> list[str]:
    """How far a search that could not go on is from what it was to tell; nothing when it told that."""
    if not over or between is None or between.high - between.low <= _WIDE * bounds.width(between.low) + 1:
        return []
    apart = f"{(between.high / between.low - 1) * 100:.0f} %"
    why = (
        f"the search was to take no longer than {out_of_time}: with more of it (--within)"
        if out_of_time
        else "looks at one load differed much: with longer ones (--step-duration) or on a quieter machine"
    )
    return [f"the ends of the interval of the limit are {apart} apart; {why} they come closer"]


def _outcome(found: SearchResult, bounds: Bounds, *, over: bool, interrupted: bool) -> StepOutcome:
    if interrupted:
        return StepOutcome.INTERRUPTED
    if not over:
        return StepOutcome.SEARCHING
    limit = found.limit.answer if found.limit else None
    if found.holds is None:
        none = limit is Answer.BREAKS and found.limit is not None and found.limit.load <= bounds.lowest
        return StepOutcome.NOTHING_HOLDS if none else StepOutcome.UNDECIDED
    return StepOutcome.FOUND if limit is Answer.BREAKS else StepOutcome.AT_LEAST


def _statement(
    outcome: StepOutcome,
    found: SearchResult,
    bounds: Bounds,
    failing: Sequence[CapacityStep],
    text_of: Callable[[int], str],
    out_of_time: str,
) -> str:
    """What came of the search, in one or two sentences."""
    reasons = [reason for step in failing for reason in step.reasons]
    why, cause = (f" ({reasons[0]})", f": {reasons[0]}") if reasons else ("", "")
    limit = text_of(found.limit.load) if found.limit else ""
    holds = text_of(found.holds) if found.holds is not None else ""
    if outcome is StepOutcome.FOUND:
        return f"All budgets hold up to {holds}; they do not at {limit}."
    if outcome is StepOutcome.AT_LEAST and not limit and out_of_time:
        return f"All budgets hold at {holds}, the most that could be tried within {out_of_time}."
    if outcome is StepOutcome.AT_LEAST and not limit:
        return f"All budgets hold at {holds}, the most that was to be tried."
    if outcome is StepOutcome.AT_LEAST:
        return f"All budgets hold at {holds}; {limit} cannot be decided here{cause}."
    if outcome is StepOutcome.NOTHING_HOLDS:
        return f"Not even at {text_of(bounds.lowest)} do all budgets hold{why}."
    if outcome is StepOutcome.UNDECIDED:
        return f"Nothing could be decided, down to {limit}{cause}."
    known_so_far = f"all budgets hold at {holds}" if holds else "no load is known to hold"
    state = "Stopped early" if outcome is StepOutcome.INTERRUPTED else "Still searching"
    return f"{state}; so far, {known_so_far}{f', and not at {limit}' if limit else ''}."


def headroom(figures: CapacityFigures, phase: Phase) -> Headroom:
    """The capacity against what a phase must carry.

    A load that had none of something shows nothing of a phase that needs it, however much there was of the rest.
    """
    measured = {
        "users": (None if figures.rate_per_s is not None else float(figures.users), float(phase.users)),
        "connections": (figures.connections, float(phase.connections)),
        "requests": (figures.requests_per_s, phase.requests),
    }
    ratios = {name: round(have / need, 4) for name, (have, need) in measured.items() if have and need}
    needed = {name for name, (_, need) in measured.items() if need}
    by = min(ratios, key=lambda name: ratios[name]) if ratios.keys() == needed else ""
    return Headroom(
        phase=phase.name,
        users=ratios.get("users"),
        connections=ratios.get("connections"),
        requests=ratios.get("requests"),
        lowest=ratios.get(by),
        by=by,
    )


def scalability(steps: Sequence[CapacityStep]) -> ScalabilityFit | None:
    """The law fitted to all steps in which the server was what limited; None when there are too few."""
    decided = [step for step in steps if step.answer != Answer.UNDECIDED]
    # Requests are what users ask for; deliveries grow with the size of a room too, and would look like a gain.
    requests = any(step.requests_per_s for step in decided)
    highest = max((step.load for step in decided), default=0)
    law = fit([(step.load, step.requests_per_s if requests else step.attempts_per_s) for step in decided])
    if law is None:
        return None
    return ScalabilityFit(
        lambda_=law.lambda_,
        sigma=law.sigma,
        kappa=law.kappa,
        r_squared=law.r_squared,
        points=law.points,
        what="requests" if requests else "attempts",
        # Beyond what was measured the law is a guess, and its peak the most daring part of it.
        peak_users=law.peak_users if (law.peak_users or 0) <= highest else None,
        peak_per_s=law.peak_throughput if (law.peak_users or 0) <= highest else None,
    )
