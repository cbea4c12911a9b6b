"""Carrying out a plan and taking it back: journalled, compared before each call, waited for.

Each step: look at the resource; when it is what the step wants already, that is noted and nothing is called; when it
is neither that nor what the plan was made for, somebody else changed it, and that is the end. Then the journal says
that the call begins, the call is made, the journal says that it was. Killed in between, dbz does not know whether the
call took effect, and need not: the way back compares again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dbz.errors import DbzError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.comparing import differences, same, shown
from dbz.scaling.change.executor import Executor
from dbz.scaling.change.journal import ChangeJournal, JournalEntry, find_entry, read_entry
from dbz.scaling.change.live import read_live, read_target
from dbz.scaling.change.names import EXPIRY
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
    left: tuple[tuple[ChangeStep, object], ...]
    """Those that were left because somebody had changed them, each with what is there."""


def _handle(aws: Aws, plan: ChangePlan) -> ServiceHandle:
    return ServiceHandle(aws, plan.cluster, plan.service)


def check_drift(aws: Aws, plan: ChangePlan) -> None:
    """Raise `DriftError` when what is there is not what the plan was made for."""
    live = read_live(_handle(aws, plan), plan.cache_group)
    if live.fingerprint() == plan.fingerprint:
        return
    changed = []
    executor = Executor(_handle(aws, plan))
    for step in plan.steps:
        now = executor.current(step)
        if not same(now, step.before):
            changed.append(f"{step.kind.value} {step.resource}: planned from {shown(step.before)}, now {shown(now)}")
    fields = differences(plan.seen, live.configured()) if plan.seen else []
    what = "; ".join([*changed, *fields]) or "something that the plan does not change, such as an alarm or a policy"
    raise DriftError(f"what is there has changed since the plan was made: {what}", hint="make a new plan", code="S013")


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
    """All steps of a plan; `begun` are those that a killed dbz may have done already.

    Raises `DriftError`, `NotSettledError`, or what a call failed with; the caller decides about the way back.
    """
    executor = Executor(_handle(aws, plan))
    waiter = Waiter(_handle(aws, plan), manner.say, manner.stop)
    for number, step in enumerate(plan.steps):
        if manner.stop():
            raise KeyboardInterrupt
        current = executor.current(step)
        if same(current, step.after):
            manner.say(f"{step.kind.value} {step.resource}: already so")
        elif not same(current, step.before) and not _moved_by_range(plan, number, current):
            raise DriftError(
                f"somebody changed the {step.kind.value} {step.resource}: it is {shown(current)}", code="S013"
            )
        if number not in begun:
            journal.step("begin", number)
        if not same(current, step.after):
            manner.say(f"{step.kind.value} {step.resource} …")
            executor.perform(step)
        journal.step("done", number)
        if step.kind is Kind.REPLICAS:
            waiter.until_cache(step.resource, step.after, manner.timeout_s)
        if step.kind is Kind.RESOLUTION:  # AWS takes the policy only once the metrics are written so often
            waiter.until_steady((0, MOST_TASKS), manner.timeout_s)
    waiter.until_steady(_expected(aws, plan, plan.steps), manner.timeout_s)


def _moved_by_range(plan: ChangePlan, number: int, current: object) -> bool:
    """Whether a desired count was moved by a range that this plan has just set."""
    step = plan.steps[number]
    ranges = [one.after for one in plan.steps[:number] if one.kind is Kind.TARGET and one.after]
    if step.kind is not Kind.DESIRED or not ranges or not isinstance(current, int):
        return False
    return bool(ranges[-1]["MinCapacity"] <= current <= ranges[-1]["MaxCapacity"])


def _expected(aws: Aws, plan: ChangePlan, steps: Sequence[ChangeStep]) -> tuple[int, int]:
    """Between which numbers the desired count may be at the end: an autoscaler may move it in its range."""
    target = read_target(_handle(aws, plan))
    if target is not None:
        return int(target["MinCapacity"]), int(target["MaxCapacity"])
    counts = [int(step.after) for step in steps if step.kind is Kind.DESIRED]
    return (counts[-1], counts[-1]) if counts else (0, MOST_TASKS)


def take_back(aws: Aws, entry: JournalEntry, manner: Manner, *, force: bool = False) -> Undone:
    """Put back exactly what was there before, the last step first; what somebody else has changed since is left alone
    unless `force`. Waits until the service is steady."""
    plan, journal = entry.plan, ChangeJournal(entry.path)
    executor = Executor(_handle(aws, plan))
    back: list[ChangeStep] = []
    left: list[tuple[ChangeStep, object]] = []
    for number in way_back(plan, entry.begun):
        step = plan.steps[number].inverse()
        current = executor.current(step)
        if not force and not _is_ours(plan, step, current):
            journal.step("left", number)
            left.append((step, current))
            continue
        journal.step("undo", number)
        if not same(current, step.after):
            manner.say(f"back: {step.kind.value} {step.resource} …")
            executor.perform(step)
        back.append(step)
        journal.step("undone", number)
    if not left:
        waiter = Waiter(_handle(aws, plan), manner.say, manner.stop)
        waiter.until_steady(_expected(aws, plan, back), manner.timeout_s)
    return Undone(tuple(back), tuple(left))


def way_back(plan: ChangePlan, begun: Sequence[int]) -> list[int]:
    """The steps to take back, last first; the range of the autoscaler before the count that must lie in it."""
    return sorted(begun, key=lambda number: (plan.steps[number].kind is Kind.DESIRED, -number))


def look_back(aws: Aws, entry: JournalEntry) -> Undone:
    """What a way back would do now: its steps with what is there as `before`, and those that it would leave alone."""
    executor = Executor(_handle(aws, entry.plan))
    back: list[ChangeStep] = []
    left: list[tuple[ChangeStep, object]] = []
    for number in way_back(entry.plan, entry.begun):
        step = entry.plan.steps[number].inverse()
        current = executor.current(step)
        if _is_ours(entry.plan, step, current):
            back.append(replace(step, before=current))
        else:
            left.append((step, current))
    return Undone(tuple(back), tuple(left))


def _is_ours(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether what is there is what the plan made, what it found, or where the autoscaler moved it meanwhile."""
    expected = same(current, step.before) or same(current, step.after)
    return expected or _within(plan, step, current) or _ended(plan, step, current)


def _within(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether a desired count is where the autoscaler may have moved it: in a range that the plan set or found."""
    ranges = [each for one in plan.steps if one.kind is Kind.TARGET for each in (one.before, one.after) if each]
    if step.kind is not Kind.DESIRED or not isinstance(current, int):
        return False
    return any(one["MinCapacity"] <= current <= one["MaxCapacity"] for one in ranges)


def _ended(plan: ChangePlan, step: ChangeStep, current: object) -> bool:
    """Whether a range is the one that the plan's own scheduled action has put back meanwhile."""
    back = next((one.after["ScalableTargetAction"] for one in plan.steps if one.resource == EXPIRY and one.after), None)
    return step.kind is Kind.TARGET and back is not None and same(current, back)


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


def apply_plans(
    aws: Aws,
    plans: Sequence[ChangePlan],
    manner: Manner,
    verify: Callable[[], None] | None = None,
    resumed: JournalEntry | None = None,
) -> list[str]:
    """Carry out plans of several services, one after the other, and verify them together; the ids of their journals.

    When one fails, those before it are taken back too. `resumed` is the journal of the first.
    """
    done: list[str] = []
    for number, plan in enumerate(plans):
        last = number == len(plans) - 1
        try:
            done.append(apply_plan(aws, plan, manner, verify if last else None, None if number else resumed))
        except LeaseLostError:
            raise
        except DbzError as error:
            for earlier, name in reversed(list(zip(plans, done, strict=False))):
                entry = find_entry(name, earlier.place)
                manner.say(f"taking back {earlier.service} too: {name}")
                error.hint = f"{error.hint}; {earlier.service}: {_put_back(error, aws, entry, manner)}"
            raise
    return done


def _back_after(error: DbzError, aws: Aws, journal: ChangeJournal, manner: Manner) -> None:
    """The way back after a failure; what became of it goes into the error's hint."""
    if isinstance(error, LeaseLostError):  # whoever has taken over decides now
        journal.end("interrupted", error.message)
        error.hint = f"what was done stays: dbz scale status, then dbz scale rollback {journal.id}"
        return
    manner.say(f"failed: {error.message.splitlines()[0]}")
    found = _try_back(error, aws, journal, manner)
    error.hint = f"{error.hint}; {found}" if error.hint else found


def _try_back(error: DbzError, aws: Aws, journal: ChangeJournal, manner: Manner) -> str:
    return _put_back(error, aws, read_entry(journal.path), manner)


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
        names = ", ".join(f"{step.kind.value} {step.resource} ({shown(now)})" for step, now in undone.left)
        return f"put back, except what somebody else changed: {names}; dbz scale rollback {journal.id} --force"
    return "everything is as it was before"
