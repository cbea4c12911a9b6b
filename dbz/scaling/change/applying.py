"""Carrying out a plan and taking it back, over all its services: journalled, compared before each call, waited for.

Each step: look at the resource; when it is what the step wants already, that is noted and nothing is called; when it
is neither that nor what the plan was made for, somebody else changed it, and that is the end. Then the journal says
that the call begins, the call is made, the journal says that it was. Killed in between, dbz does not know whether the
call took effect, and need not: the way back compares again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dbz.errors import DbzError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.comparing import differences, same, shown
from dbz.scaling.change.executor import Executor
from dbz.scaling.change.journal import ChangeJournal, JournalEntry, read_entry
from dbz.scaling.change.live import read_live, read_target
from dbz.scaling.change.order import PlannedStep, ordered, way_back
from dbz.scaling.change.ours import StepBack, WayBack
from dbz.scaling.change.settle import DriftError, Waiter
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind, ends_at
from dbz.scaling.exclusive.lease import LeaseLostError
from dbz.scaling.handle import ServiceHandle

Say = Callable[[str], None]
MOST_TASKS = 1_000_000


@dataclass(frozen=True)
class Manner:
    """How to go about it."""

    timeout_s: float
    """Seconds for each wait."""
    say: Say
    """Gets a line of progress."""
    stop: Callable[[], bool] = lambda: False
    """Whether the user wants it to end."""


@dataclass(frozen=True)
class Undone:
    """What became of a way back."""

    back: tuple[ChangeStep, ...]
    """The steps that were taken back."""
    left: tuple[StepBack, ...]
    """Those that were left, each with what is there and why."""


def _handle(aws: Aws, plan: ChangePlan) -> ServiceHandle:
    return ServiceHandle(aws, plan.cluster, plan.service)


def check_drift(aws: Aws, plans: Iterable[ChangePlan]) -> None:
    """Raise `DriftError` when what is there is not what the plans were made for; each service of which that holds is
    named, with what has changed."""
    found = {plan.service: changed for plan in plans if (changed := _drift(aws, plan))}
    if not found:
        return
    what = "; ".join(found.values()) if len(found) == 1 else "; ".join(f"{name}: {one}" for name, one in found.items())
    raise DriftError(f"what is there has changed since the plan was made: {what}", hint="make a new plan", code="S013")


def _drift(aws: Aws, plan: ChangePlan) -> str:
    """What of a service is not what its plan was made for; empty: nothing."""
    live = read_live(_handle(aws, plan), plan.cache_group)
    if live.fingerprint() == plan.fingerprint:
        return ""
    changed = []
    executor = Executor(_handle(aws, plan))
    for step in plan.steps:
        now = executor.current(step)
        if not same(now, step.before):
            changed.append(f"{step.kind.value} {step.resource}: planned from {shown(step.before)}, now {shown(now)}")
    fields = differences(plan.seen, live.configured()) if plan.seen else []
    return "; ".join([*changed, *fields]) or "something that the plan does not change, such as an alarm or a policy"


def refuse_late(plan: ChangePlan, now: datetime) -> None:
    """`UsageError` when the moment has passed, or is too near, at which the plan would have been put back by itself."""
    at = ends_at(plan)
    if at is not None and at <= now:
        raise UsageError(
            f"{plan.goal} was planned to end at {at:%Y-%m-%d %H:%M:%S} UTC, which has passed: nothing was changed",
            hint="make a new plan, with a longer --expires",
            code="S015",
        )


def carry_out(aws: Aws, plan: ChangePlan, journal: ChangeJournal, manner: Manner, begun: Sequence[int] = ()) -> None:
    """All steps of a plan, stage by stage; `begun` are those that a killed dbz may have done already.

    Raises `DriftError`, `NotSettledError`, or what a call failed with; the caller decides about the way back.
    """
    steps, crew = ordered(plan), _Crew(aws, plan, manner)
    crew.look()
    for number, one in enumerate(steps):
        if number and one.stage != steps[number - 1].stage:
            crew.wait(_plans_of(before.plan for before in steps[:number] if before.stage == one.stage - 1))
        if manner.stop():
            raise KeyboardInterrupt
        crew.take(number, one, journal, begun=number in begun)
    crew.wait(plan.everything())


def _plans_of(plans: Iterable[ChangePlan]) -> list[ChangePlan]:
    """Each plan once, in order."""
    return list({one.service: one for one in plans}.values())


class _Crew:
    """What carries out the steps of each service of a plan and waits for it."""

    def __init__(self, aws: Aws, plan: ChangePlan, manner: Manner) -> None:
        self._aws, self._manner, self._several = aws, manner, len(plan.everything()) > 1
        self._handles = {one.service: _handle(aws, one) for one in plan.everything()}
        self._executors = {name: Executor(handle) for name, handle in self._handles.items()}
        self._waiters: dict[str, Waiter] = {}

    def look(self) -> None:
        """Look at all that will have to be looked at, so that a missing permission is known before a change."""
        for service in self._handles:
            self._waiter(service)

    def _waiter(self, service: str) -> Waiter:
        if service not in self._waiters:
            self._waiters[service] = Waiter(self._handles[service], self._voice(service), self._manner.stop)
        return self._waiters[service]

    def _voice(self, service: str) -> Say:
        say = self._manner.say
        return (lambda line: say(f"{service}: {line}")) if self._several else say

    def take(self, number: int, planned: PlannedStep, journal: ChangeJournal, *, begun: bool) -> None:
        """One step, unless what it wants is there already; then whatever later steps need of it is waited for."""
        plan, step = planned.plan, planned.step
        executor, waiter, say = self._executors[plan.service], self._waiter(plan.service), self._voice(plan.service)
        current = executor.current(step)
        if same(current, step.after):
            say(f"{step.kind.value} {step.resource}: already so")
        elif not same(current, step.before) and not _moved_by_range(plan, step, current):
            raise DriftError(
                f"somebody changed the {step.kind.value} {step.resource}: it is {shown(current)}", code="S013"
            )
        if not begun:
            journal.step("begin", number)
        if not same(current, step.after):
            say(f"{step.kind.value} {step.resource} …")
            executor.perform(step)
        journal.step("done", number)
        if step.kind is Kind.REPLICAS:
            waiter.until_cache(step.resource, step.after, self._manner.timeout_s)
        if step.kind is Kind.RESOLUTION:  # AWS takes the policy only once the metrics are written so often
            waiter.until_steady((0, MOST_TASKS), self._manner.timeout_s)

    def back(self, planned: PlannedStep, journal: ChangeJournal, number: int) -> None:
        """One step of the way back."""
        step, executor = planned.step.inverse(), self._executors[planned.plan.service]
        self._waiter(planned.plan.service)  # from here on events are news
        journal.step("undo", number)
        if not same(executor.current(step), step.after):
            self._voice(planned.plan.service)(f"back: {step.kind.value} {step.resource} …")
            executor.perform(step)
        journal.step("undone", number)

    def way_back(self, plan: ChangePlan, *, force: bool) -> WayBack:
        """What says step by step which of a service's may be taken back."""
        return WayBack(self._executors[plan.service], plan, force=force)

    def wait(self, plans: Iterable[ChangePlan]) -> None:
        """Until each service runs what it is to run."""
        for plan in plans:
            self.wait_for(plan, plan.steps)

    def wait_for(self, plan: ChangePlan, steps: Sequence[ChangeStep], also: Sequence[int] = ()) -> None:
        """Until a service runs what these steps have left it with; its count may be one of `also` too."""
        self._waiter(plan.service).until_steady(_expected(self._aws, plan, steps, also), self._manner.timeout_s)


def _moved_by_range(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether a desired count was moved by a range that this plan has just set."""
    before = plan.steps[: plan.steps.index(step)]
    ranges = [one.after for one in before if one.kind is Kind.TARGET and one.after]
    if step.kind is not Kind.DESIRED or not ranges or not isinstance(current, int):
        return False
    return bool(ranges[-1]["MinCapacity"] <= current <= ranges[-1]["MaxCapacity"])


def _expected(aws: Aws, plan: ChangePlan, steps: Sequence[ChangeStep], also: Sequence[int] = ()) -> tuple[int, int]:
    """Between which numbers the desired count may be at the end: an autoscaler may move it in its range. A count that
    the steps set, or one of `also`, may lie outside: AWS takes any from a person, and moves it when it next scales."""
    target = read_target(_handle(aws, plan))
    counts = [int(step.after) for step in steps if step.kind is Kind.DESIRED][-1:]
    if target is None:
        return (counts[0], counts[0]) if counts else (0, MOST_TASKS)
    numbers = [int(target["MinCapacity"]), int(target["MaxCapacity"]), *counts, *also]
    return min(numbers), max(numbers)


def take_back(aws: Aws, entry: JournalEntry, manner: Manner, *, force: bool = False) -> Undone:
    """Put back exactly what was there before, the last step first; what somebody else has changed since is left alone
    unless `force`. Waits until the services are steady.

    Where it fails for one service it goes on with the others; then it raises what it failed with.
    """
    journal, crew = ChangeJournal(entry.path), _Crew(aws, entry.plan, manner)
    ways = {one.service: crew.way_back(one, force=force) for one in entry.plan.everything()}
    back: list[PlannedStep] = []
    left: list[StepBack] = []
    failed: dict[str, DbzError] = {}
    for number in way_back(entry.steps, entry.begun):
        one = entry.steps[number]
        if one.plan.service in failed:
            continue
        try:
            found = ways[one.plan.service].look(one.step.inverse())
            if force or not found.why_not:
                crew.back(one, journal, number)
                back.append(one)
            else:
                journal.step("left", number)
                left.append(found)
        except LeaseLostError:
            raise
        except DbzError as error:
            failed[one.plan.service] = error
    for plan in _plans_of(one.plan for one in back) if not left else ():
        if plan.service not in failed:
            crew.wait_for(plan, [one.step.inverse() for one in back if one.plan is plan], _found_desired(plan))
    for first in failed.values():
        raise first
    return Undone(tuple(one.step.inverse() for one in back), tuple(left))


def _found_desired(plan: ChangePlan) -> list[int]:
    """The count that a plan found, which a way back may leave as it is: somebody may have set it outside the range."""
    return [int(plan.seen["desired"])] if "desired" in plan.seen else []


def look_back(aws: Aws, plan: ChangePlan, steps: Iterable[PlannedStep], *, force: bool = False) -> Undone:
    """What a way back of these steps of one service, in its order, would do now: those that it would take, with what is
    there as `before`, and those that it would leave alone, or with `force` overwrite."""
    way = WayBack(Executor(_handle(aws, plan)), plan, force=force)
    found = [way.look(one.step.inverse()) for one in steps]
    back = (replace(one.step, before=one.now) for one in found if not one.why_not)
    return Undone(tuple(back), tuple(one for one in found if one.why_not))


def apply_plan(
    aws: Aws,
    plan: ChangePlan,
    manner: Manner,
    verify: Callable[[], None] | None = None,
    resumed: JournalEntry | None = None,
) -> str:
    """Carry a plan out, verify it, and take it back when either fails; the journal's id.

    Raises what made it fail; its hint says whether everything is as it was. On `KeyboardInterrupt` everything stays as
    it is, and the journal says so.
    """
    journal = ChangeJournal(resumed.path) if resumed else ChangeJournal.begin(plan)
    try:
        carry_out(aws, plan, journal, manner, resumed.begun if resumed else ())
        if verify:
            verify()
    except KeyboardInterrupt:
        journal.end("interrupted")
        raise
    except DbzError as error:
        _back_after(error, aws, journal, manner)
        raise
    except Exception as error:  # an error of dbz itself: what was begun is put back all the same
        _back_after(DbzError(f"an error in dbz itself: {error!r}", code="E023"), aws, journal, manner)
        raise
    journal.end("applied")
    return journal.id


def _back_after(error: DbzError, aws: Aws, journal: ChangeJournal, manner: Manner) -> None:
    """The way back after a failure; what became of it goes into the error's hint."""
    if isinstance(error, LeaseLostError):  # whoever has taken over decides now
        journal.end("interrupted", error.message)
        error.hint = f"what was done stays: dbz scale status, then dbz scale rollback {journal.id}"
        return
    manner.say(f"failed: {error.message.splitlines()[0]}")
    found = _put_back(error, aws, read_entry(journal.path), manner)
    error.hint = f"{error.hint}; {found}" if error.hint else found


def _put_back(error: DbzError, aws: Aws, entry: JournalEntry, manner: Manner) -> str:
    """Take a change back, because of an error; what became of that, in words."""
    journal = ChangeJournal(entry.path)
    try:
        undone = take_back(aws, entry, manner)
    except DbzError as second:
        return f"taking it back failed too: {second.message}; later: dbz scale rollback {journal.id}"
    except KeyboardInterrupt:
        journal.end("interrupted", error.message)
        return f"taking it back was interrupted: dbz scale rollback {journal.id}"
    journal.end("failed", error.message)
    if undone.left:
        names = "; ".join(map(str, undone.left))
        return f"put back, except what somebody else changed: {names}; dbz scale rollback {journal.id} --force"
    return "everything is as it was before"
