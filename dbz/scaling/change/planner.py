"""From what is there and what is wanted to a plan. Pure: nothing is read, nothing is changed.

Order: what grows first is what others need (cache, range of the autoscaler, then tasks); what shrinks, the other way
round. Policies and alarms come when the range is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dbz.config.grammar.target_tracking import FINE, FINE_S
from dbz.config.phases.plan import ApiServers, Phase, Phases
from dbz.errors import UsageError
from dbz.scaling.change.comparing import covers
from dbz.scaling.change.instructions import cost_of, cost_of_tasks, manual_steps, present_entries
from dbz.scaling.change.names import EXPIRY, OWN_PREFIX, alarm_prefix
from dbz.scaling.change.state import Json, Live
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Cost, Kind, Manual
from dbz.scaling.change.surroundings import notes_about, notes_on_following, refuse_impossible
from dbz.scaling.entries.standing import Lookups
from dbz.scaling.native import ECS_METRICS, alarms_for, policies_for

NOTHING: Lookups = {}
"""No entry was looked up."""
MOST_REPLICAS = 5


@dataclass(frozen=True)
class Wanted:
    """What to bring about."""

    goal: str
    """Its name: a phase, or a number of tasks."""
    servers: ApiServers
    """A fixed number of tasks, or a range."""
    allow_scale_in: bool = False
    """Whether fewer tasks or nodes than now are all right."""
    expires: datetime | None = None
    """When to put the range back by itself, by a scheduled action of AWS; None: never."""
    keep_range: bool = False
    """Whether the range of an autoscaler stays as it is."""


def plan_phase(live: Live, plan: Phases, phase: Phase, wanted: Wanted, lookups: Lookups = NOTHING) -> ChangePlan:
    """Everything that a phase needs; `lookups` say which of its entries are there. `UsageError` when that would scale
    in and may not."""
    steps = _tasks(live, wanted)
    native = _native(plan, wanted.servers)
    steps += _autoscaling(live, native)
    cache, cache_manual = _cache(live, phase, wanted)
    growing = cache is not None and cache.after > cache.before
    ordered = [*([cache] if cache and growing else []), *steps, *([cache] if cache and not growing else [])]
    manual = [*cache_manual, *manual_steps(live, phase, lookups)]
    made = _plan(live, wanted.goal, ordered, manual, cost_of(live, plan, phase, wanted.servers))
    notes = notes_about(live, ordered, wanted.servers, native)
    notes += notes_on_following(phase) if ordered else ()
    return replace(made, notes=notes, present=tuple(present_entries(phase, lookups)))


def plan_tasks(live: Live, wanted: Wanted) -> ChangePlan:
    """Only another number or range of tasks. `UsageError` when that would scale in and may not."""
    steps = _tasks(live, wanted)
    made = _plan(live, wanted.goal, steps, [], None)
    return replace(made, notes=notes_about(live, steps, None if wanted.keep_range else wanted.servers, None))


def plan_service(live: Live, plan: Phases, wanted: Wanted) -> ChangePlan:
    """The tasks or the range of another service, with policies and alarms by `plan`, which is the plan as it is for
    that service (`plan_of_service`). `UsageError` when that would scale in and may not."""
    steps, native = _tasks(live, wanted), _native(plan, wanted.servers)
    steps += _autoscaling(live, native)
    made = _plan(live, wanted.goal, steps, [], cost_of_tasks(live, plan, wanted.servers))
    return replace(made, notes=notes_about(live, steps, wanted.servers, native))


def _native(plan: Phases, servers: ApiServers) -> Phases | None:
    """The plan where AWS is to follow its sentences; None: there is nothing to scale, or dbz does it."""
    return plan if plan.scaling.autoscaler == "native" and not servers.fixed else None


def plan_native(live: Live, plan: Phases, servers: ApiServers) -> ChangePlan:
    """Only the autoscaling: range, policies and alarms by the plan's sentences."""
    steps = [*_target(live, servers), *_autoscaling(live, plan)]
    return replace(_plan(live, "native autoscaling", steps, [], None), notes=notes_about(live, steps, servers, plan))


def _plan(live: Live, goal: str, steps: list[ChangeStep], manual: list[Manual], cost: Cost | None) -> ChangePlan:
    refuse_impossible(live, steps)
    return ChangePlan(
        goal=goal,
        account=live.account,
        region=live.region,
        cluster=live.service.cluster,
        service=live.service.name,
        cache_group=live.cache.id if live.cache else "",
        fingerprint=live.fingerprint(),
        steps=tuple(steps),
        manual=tuple(manual),
        cost=cost,
        seen=live.configured(),
    )


def _tasks(live: Live, wanted: Wanted) -> list[ChangeStep]:
    servers, desired = wanted.servers, live.service.desired
    after = min(max(desired, servers.min), servers.max)
    if after < desired and not wanted.allow_scale_in:
        raise UsageError(
            f"{wanted.goal} would take {live.service.name} from {desired} to {after} tasks",
            hint="--allow-scale-in if that is meant",
            code="S016",
        )
    steps: list[ChangeStep] = []
    if not wanted.keep_range and (live.target is not None or not servers.fixed or wanted.expires):
        steps += _target(live, servers)
    if wanted.expires:
        steps.append(_expiry(live, wanted.expires))
    if after != desired:
        steps.append(ChangeStep(Kind.DESIRED, live.service.name, desired, after))
    return steps


def _target(live: Live, servers: ApiServers) -> list[ChangeStep]:
    wanted = {**(live.target or {}), "MinCapacity": servers.min, "MaxCapacity": servers.max}
    return [] if wanted == live.target else [ChangeStep(Kind.TARGET, live.service.resource_id, live.target, wanted)]


def _expiry(live: Live, at: datetime) -> ChangeStep:
    """Back to the range that there is now; a service without one keeps its present number of tasks. Where that range
    is to end itself, back to the one that comes after it."""
    now = live.target or {"MinCapacity": live.service.desired, "MaxCapacity": live.service.desired}
    before = live.pending_end["ScalableTargetAction"] if live.pending_end else now
    action = {
        "ScheduledActionName": EXPIRY,
        "Schedule": f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
        "ScalableTargetAction": {key: before[key] for key in ("MinCapacity", "MaxCapacity")},
    }
    return ChangeStep(Kind.SCHEDULE, EXPIRY, live.schedules.get(EXPIRY), action)


def _autoscaling(live: Live, plan: Phases | None) -> list[ChangeStep]:
    """The policies and alarms that dbz makes: those of `plan`, or, with None, none."""
    prefix = alarm_prefix(live.service.cluster, live.service.name)
    policies = policies_for(plan) if plan else {}
    alarms = alarms_for(plan, prefix) if plan else {}
    mine = {name: one for name, one in live.policies.items() if name.startswith(OWN_PREFIX)}
    there = {name: one.settings for name, one in live.alarms.items() if name.startswith(prefix)}
    changed = _changes(Kind.POLICY, mine, policies), _changes(Kind.ALARM, there, alarms)
    finer = _resolution(live, plan) if plan else []
    # An alarm needs its policy: made after it, taken away before it.
    made = [one for steps in changed for one in steps if one.after is not None]
    removed = [one for steps in reversed(changed) for one in steps if one.after is None]
    return [*finer, *removed, *made]


def fine_metrics(plan: Phases) -> list[str]:
    """The metrics that ECS must write every 20 s for a plan's policies and alarms, as CloudWatch calls them."""
    fine = {target.metric for target in plan.target_tracking if target.every_s == FINE_S}
    if plan.scaling.period == FINE_S:
        fine |= {condition.metric for condition in (*plan.scale_out_when_any, *plan.scale_in_when_all)}
    return sorted(ECS_METRICS[metric] for metric in fine & set(FINE))


def _resolution(live: Live, plan: Phases) -> list[ChangeStep]:
    wanted, there = fine_metrics(plan), list(live.fine_metrics or ())
    if set(wanted) <= set(there):
        return []
    return [ChangeStep(Kind.RESOLUTION, live.service.name, there or None, sorted({*wanted, *there}))]


def _changes(kind: Kind, before: Mapping[str, Json], after: Mapping[str, Json]) -> list[ChangeStep]:
    names = [*after, *(name for name in before if name not in after)]
    steps = [ChangeStep(kind, name, before.get(name), after.get(name)) for name in names]
    return [one for one in steps if not (one.before is not None and covers(one.before, one.after))]


def _cache(live: Live, phase: Phase, wanted: Wanted) -> tuple[ChangeStep | None, list[Manual]]:
    """The change of the cache's replicas, and what must be done by hand where that is not enough."""
    planned, group = phase.cache, live.cache
    if planned is None:
        return None, []
    if group is None:
        look = "aws elasticache describe-replication-groups --query 'ReplicationGroups[].ReplicationGroupId'"
        text = f"{planned.service}, {planned.nodes} nodes: name it as scaling.cache_group ({look}); then dbz does it"
        return None, [Manual("cache", text)]
    if group.nodes == planned.nodes:
        return None, []
    replicas = planned.nodes // group.shards
    if not _replicas_fit(planned.nodes, group.shards):
        shards = next((one for one in range(1, planned.nodes + 1) if _replicas_fit(planned.nodes, one)), 1)
        command = (
            f"aws elasticache modify-replication-group-shard-configuration --replication-group-id {group.id} "
            f"--node-group-count {shards} --apply-immediately"
        )
        text = f"{planned.nodes} nodes are not possible with {group.shards} shard(s): reshard first: {command}"
        return None, [Manual("cache", text)]
    if replicas - 1 < group.replicas and not wanted.allow_scale_in:
        raise UsageError(
            f"{wanted.goal} would take the cache {group.id} from {group.nodes} to {planned.nodes} nodes",
            hint="--allow-scale-in if that is meant",
            code="S016",
        )
    return ChangeStep(Kind.REPLICAS, group.id, group.replicas, replicas - 1), []


def _replicas_fit(nodes: int, shards: int) -> bool:
    """Whether so many nodes are possible with so many shards: as many replicas for each, and not too many."""
    replicas, rest = divmod(nodes, shards)
    return not rest and 0 <= replicas - 1 <= MOST_REPLICAS
