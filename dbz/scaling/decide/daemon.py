"""`dbz scale auto`: the rules of the plan, carried out.

Once a period: read the service and the samples, ask the engine, and when it wants another number, set it, with the
journal before and after the call like every change. It never acts on a guess: what cannot be read is a missing sample,
and the desired count is compared right before it is changed.

Datapoints of CloudWatch come one to three minutes late. So each time the last periods are read again, as many as the
longest condition and the allowed lateness cover, and the engine decides on the newest that have come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from dbz.config.grammar.watched import Watched
from dbz.config.phases.plan import ApiServers, Phases
from dbz.errors import DbzError, DependencyError, UsageError
from dbz.scaling.change.comparing import same
from dbz.scaling.change.executor import Executor
from dbz.scaling.change.journal import ChangeJournal, entries_of
from dbz.scaling.change.live import read_live, read_service
from dbz.scaling.change.planner import Wanted, plan_tasks
from dbz.scaling.change.state import EcsService, Live
from dbz.scaling.change.steps import ChangePlan, Kind
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.decide.rules import Action, ConditionStanding, Decision, Policy, RuleEngine, Sample
from dbz.scaling.decide.sources import SampleSource
from dbz.scaling.exclusive.lease import Lease, LeaseLostError
from dbz.scaling.exclusive.lock import LockRole
from dbz.scaling.exclusive.roles import lease_of, one_step
from dbz.scaling.handle import ServiceHandle
from dbz.units import format_duration

LATEST_S = 2.0
"""How long after the end of a period its metrics may come, at most; at most a quarter of the period is waited."""


MAY_BE_SILENT = (Watched.RESPONSE_TIME, Watched.ERROR_RATE, Watched.REQUESTS)
"""Metrics without a datapoint while nobody asks anything: that they are missing says nothing about the metrics."""


class NoDataError(DependencyError):
    """Nothing has been known for too long of what always has a value while tasks run; exit code 3."""


class SteadyClock:
    """Seconds since 1970 that never jump: the wall clock at the start, then the monotonic one."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now_s(self) -> float:
        """The time now."""
        return self._offset_s + time.monotonic()


@dataclass(frozen=True)
class Evaluation:
    """One evaluation."""

    at_s: float
    """When, in seconds since 1970."""
    service: EcsService
    """The service as it was."""
    decision: Decision
    done: bool
    """Whether it was carried out."""
    standings: tuple[ConditionStanding, ...]
    """How the conditions stand."""


class Autoscaler:
    """Follows one service. With `dry_run` it decides and does nothing. `lead` is the lease that it leads by, if it has
    one: there it leaves its last steps for whoever leads next.

    Raises `UsageError` when AWS scales the service by policies already: two autoscalers would disagree.
    """

    def __init__(
        self,
        handle: ServiceHandle,
        plan: Phases,
        servers: ApiServers,
        source: SampleSource,
        *,
        dry_run: bool = False,
        lead: Lease | None = None,
        clock: SteadyClock | None = None,
    ) -> None:
        self._handle, self._aws, self._source, self._dry_run, self._lead = handle, handle.aws, source, dry_run, lead
        self._clock = clock or SteadyClock()
        live = read_live(handle)
        self._place = live.place
        self._change = lease_of(handle.aws, plan.scaling, live.place, LockRole.CHANGE, "dbz scale auto")
        refuse_second_autoscaler(live)
        self.policy = _within_range(rules_of(plan, servers.min, servers.max), live)
        self._engine = RuleEngine(self.policy)
        windows = (each.samples(self.policy.period_s)[1] for each in (*self.policy.out_any, *self.policy.in_all))
        self._look_back_s = (max(windows, default=1) + 1) * self.policy.period_s + self.policy.data_age_s
        self._samples: dict[float, Sample] = {}
        self._ran: dict[float, int] = {}
        self._no_data_after_s = plan.scaling.no_data_after
        self._blind_since_s: float | None = None
        self._remember_steps()

    def _remember_steps(self) -> None:
        """Cooldowns go on over a restart: the journal knows the last steps, the lease those of other machines."""
        now_s = self._clock.now_s()
        for action in (Action.OUT, Action.IN):
            if self._lead and action.value in self._lead.notes:
                self._engine.acted(action, min(self._lead.notes[action.value], now_s))
        for entry in entries_of(self._place):
            for number, (step, mine) in enumerate((one.step, one.plan.place == self._place) for one in entry.steps):
                if mine and step.kind is Kind.DESIRED and number in (*entry.begun, *entry.done):
                    at_s = min(datetime.fromisoformat(entry.at).timestamp(), now_s)  # the clock may have been ahead
                    self._engine.acted(Action.OUT if step.after > step.before else Action.IN, at_s)

    def _acted(self, action: Action, now_s: float) -> None:
        self._engine.acted(action, now_s)
        if self._lead:
            self._lead.note(action.value, now_s)

    def evaluate(self) -> Evaluation:
        """Look once and act. Raises `DependencyError` when AWS or the source cannot be asked, `LeaseLostError` when
        another machine leads by now."""
        self._aws.check_guards()
        service = read_service(self._handle)
        now_s = self._clock.now_s()
        self._take_in(service, now_s)
        decision = self._engine.decide(now_s, service.desired, deploying=service.deploying)
        self._check_sight(service, now_s)
        done = False
        if decision.action is not Action.HOLD:
            live = read_live(self._handle)
            decision = _as_others_have_it(live, service, decision)
            if decision.action is not Action.HOLD and not self._dry_run:
                decision, done = self._act(live, decision)
        if decision.action is not Action.HOLD and (done or self._dry_run):
            self._acted(decision.action, now_s)
        return Evaluation(now_s, service, decision, done, tuple(self._engine.standings()))

    def _take_in(self, service: EcsService, now_s: float) -> None:
        """Read the last periods again and let the engine begin with them anew."""
        begin_s = now_s - self._look_back_s
        self._ran = {at_s: tasks for at_s, tasks in self._ran.items() if at_s > begin_s} | {now_s: service.running}
        for sample in self._source.since(begin_s, now_s, self._tasks_at):
            self._samples[sample.at_s] = sample
        self._samples = {at_s: sample for at_s, sample in sorted(self._samples.items()) if at_s > begin_s}
        self._engine.replay(list(self._samples.values()), now_s)

    def _tasks_at(self, at_s: float) -> int:
        """How many tasks ran then, as far as this daemon has seen it; before it began, as many as at its first look."""
        seen = max((seen_s for seen_s in self._ran if seen_s <= at_s), default=min(self._ran))
        return max(self._ran[seen], 1)

    def _check_sight(self, service: EcsService, now_s: float) -> None:
        """`NoDataError` once what always has a value was without one for `no_data_after`."""
        unknown = [one.value for one in self._engine.no_data if one not in MAY_BE_SILENT]
        if not unknown or not service.running:
            self._blind_since_s = None
            return
        self._blind_since_s = now_s if self._blind_since_s is None else self._blind_since_s
        blind_s = now_s - self._blind_since_s
        if self._no_data_after_s and blind_s >= self._no_data_after_s:
            raise NoDataError(
                f"no data about {', '.join(unknown)} for {format_duration(blind_s)}: nothing was decided meanwhile",
                hint="does the service still write them? scaling.no_data_after says how long that may last",
                code="S023",
            )

    def _act(self, live: Live, decision: Decision) -> tuple[Decision, bool]:
        """Carry out a decision unless another dbz is at work; what was done, and whether."""
        plan = plan_tasks(live, Wanted(f"auto: {decision.reason}", _exactly(decision.desired), True, keep_range=True))
        try:
            with one_step(self._change, self._place, "dbz scale auto"):
                self._aws.check_guards()
                self._perform(plan, decision)
        except UsageError as busy:
            return replace(decision, action=Action.HOLD, desired=live.service.desired, reason=busy.message), False
        return decision, True

    def _perform(self, plan: ChangePlan, decision: Decision) -> None:
        """The one step of a plan, journalled. One that failed is in nobody's way: the next look finds what is so.

        A call without an answer may have been carried out. Then the step is done; where nobody can tell, it counts for
        the cooldown, so that no second one is made for the same reason.
        """
        (step,) = plan.steps
        executor = Executor(self._handle)
        journal = ChangeJournal.begin(plan)
        journal.step("begin", 0)
        try:
            executor.perform(step)
        except DbzError as error:
            found = None
            with suppress(DbzError):
                found = executor.current(step)
            if not same(found, step.after):
                if same(found, step.before):
                    journal.step("undone", 0)
                else:
                    self._acted(decision.action, self._clock.now_s())
                journal.end("failed", error.message)
                raise
        journal.step("done", 0)
        journal.end("applied", decision.reason)

    def next_s(self) -> float:
        """How long until the next evaluation: shortly after the end of the period that is going on."""
        period_s = self.policy.period_s
        lag_s = min(LATEST_S, period_s / 4)
        now_s = self._clock.now_s() - lag_s
        return period_s - now_s % period_s


def _as_others_have_it(live: Live, looked_at: EcsService, decision: Decision) -> Decision:
    """A decision within the range that the scalable target has by now, such as a scheduled action sets for the night;
    none at all when somebody has just set a count, or AWS scales the service by policies by now."""
    desired = live.service.desired

    def hold(why: str) -> Decision:
        return replace(decision, action=Action.HOLD, desired=desired, reason=why)

    if desired != looked_at.desired:
        return hold(f"somebody set {desired} tasks just now")
    try:
        refuse_second_autoscaler(live)
    except UsageError as second:
        return hold(f"{decision.reason}, but {second.message}")
    if live.target is None:
        return decision
    low, high = int(live.target["MinCapacity"]), int(live.target["MaxCapacity"])
    wanted = min(max(decision.desired, low), high)
    if desired < wanted if decision.action is Action.OUT else desired > wanted:
        return replace(decision, desired=wanted)
    return hold(f"{decision.reason}, but the range of the scalable target is {low} to {high} now")


def _exactly(tasks: int) -> ApiServers:
    return ApiServers.model_construct(min=tasks, max=tasks)


def _within_range(policy: Policy, live: Live) -> Policy:
    """The policy's bounds cut to the range of a scalable target, which AWS would enforce."""
    if live.target is None:
        return policy
    low = max(policy.lowest, int(live.target["MinCapacity"]))
    high = min(policy.highest, int(live.target["MaxCapacity"]))
    if low > high:
        raise UsageError(
            f"the plan's bounds ({policy.lowest} to {policy.highest}) and the range of the scalable target "
            f"({live.target['MinCapacity']} to {live.target['MaxCapacity']}) have nothing in common",
            code="S019",
        )
    return replace(policy, lowest=low, highest=high)


def refuse_second_autoscaler(live: Live) -> None:
    """`UsageError` when AWS scales the service by policies that are not suspended."""
    suspended = (live.target or {}).get("SuspendedState") or {}
    if live.policies and not (
        suspended.get("DynamicScalingInSuspended") and suspended.get("DynamicScalingOutSuspended")
    ):
        names = ", ".join(live.policies)
        raise UsageError(
            f"AWS scales {live.service.name} by policies already ({names}): two autoscalers would disagree",
            hint="set scaling.autoscaler: dbz and apply the phase again, which takes the policies away",
            code="S019",
        )


def run_forever(
    auto: Autoscaler, tell: Callable[[Evaluation], None], warn: Callable[[str], None], wait: Callable[[float], bool]
) -> None:
    """Evaluate once a period until `wait`, which sleeps so many seconds, says that the user asked to stop.

    An evaluation that fails because something cannot be reached is told; a service that is gone, a lead that is lost,
    or metrics that have not come for too long (`NoDataError`) end it.
    """
    while True:
        try:
            tell(auto.evaluate())
        except (NoDataError, LeaseLostError):
            raise
        except DependencyError as error:
            warn(f"holding: {error.message}")
        if wait(auto.next_s()):
            return
