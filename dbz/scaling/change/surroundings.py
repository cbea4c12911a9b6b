"""What else acts on a service beside dbz, and what of a plan will therefore not be, or not last. Pure.

`refuse_impossible` raises for what AWS would refuse, or would take and not do; `notes_about` says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dbz.config.grammar.watched import Watched
from dbz.config.phases.plan import ApiServers, Phase, Phases
from dbz.errors import UsageError
from dbz.scaling.change.names import EXPIRY, OWN_PREFIX, time_of
from dbz.scaling.change.state import Json, Live
from dbz.scaling.change.steps import ChangeStep, Kind

_CONTROLLERS = {"CODE_DEPLOY": "CodeDeploy", "EXTERNAL": "an external controller"}


def refuse_impossible(live: Live, steps: list[ChangeStep]) -> None:
    """`UsageError` for what AWS does not do with this service, or not beside what is there."""
    service = live.service
    if service.scheduling == "DAEMON":
        raise UsageError(
            f"{service.name} is a DAEMON service: ECS runs a task on each instance, and takes no count or range",
            hint="more instances make more tasks; or a service with the REPLICA strategy",
            code="S008",
        )
    for step in steps:
        metric = tracked_metric(step.after) if step.kind is Kind.POLICY and step.after else None
        for name, policy in live.policies.items():
            if metric is not None and name != step.resource and tracked_metric(policy) == metric:
                raise UsageError(
                    f"AWS takes one target tracking for a metric, and the policy {name} tracks {metric_name(metric)} "
                    f"already: {step.resource} would be refused",
                    hint=f"take {name} away, or target_tracking of that metric out of the plan",
                    code="S019",
                )


def tracked_metric(policy: Json) -> Json | None:
    """What a target-tracking policy tracks; None for another kind of policy."""
    settings = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
    named: Mapping[str, Any] | None = settings.get("PredefinedMetricSpecification")
    return named or settings.get("CustomizedMetricSpecification")


def metric_name(metric: Json) -> str:
    """What AWS calls such a metric."""
    return str(metric.get("PredefinedMetricType") or metric.get("MetricName") or "its metric")


def notes_about(
    live: Live, steps: list[ChangeStep], servers: ApiServers | None, plan: Phases | None
) -> tuple[str, ...]:
    """Sentences without their full stop, the most important first.

    `servers` is the range that the steps bring about, None where they leave it alone; `plan` that of the alarms and
    policies among the steps, None when there are none.
    """
    return (
        *_suspensions(live, steps),
        *_pending_end(live, steps),
        *_idle(live, steps),
        *_resolution(steps),
        *_schedules(live, servers),
        *_policies(live, steps),
        *_deployments(live),
        *_shared_balancer(live, plan),
        *_swapped_groups(live, steps),
        *_other_groups(live, steps),
        *_only_by_dbz(plan, steps),
    )


def _suspensions(live: Live, steps: list[ChangeStep]) -> list[str]:
    suspended = live.suspended
    if not suspended:
        return []
    what = {"out": "scaling out", "in": "scaling in", "scheduled": "scheduled actions"}
    names = ", ".join(what[one] for one in suspended)
    how = "aws application-autoscaling register-scalable-target --suspended-state"
    notes = [f"suspended on AWS: {names} of {live.service.name}; that does not happen until it is resumed ({how})"]
    if "scheduled" in suspended and any(step.resource == EXPIRY and step.after for step in steps):
        notes.append(
            "scheduled actions are suspended, so the range would NOT be put back by itself when the time is over"
        )
    return notes


def _pending_end(live: Live, steps: list[ChangeStep]) -> list[str]:
    """What an earlier change with an end does to this one."""
    action = live.pending_end
    if action is None or any(step.resource == EXPIRY for step in steps):
        return []
    low, high = (action["ScalableTargetAction"].get(key) for key in ("MinCapacity", "MaxCapacity"))
    end = f"an earlier change ends at {time_of(str(action['Schedule'])):%Y-%m-%d %H:%M:%S} UTC"
    return [f"{end}: then AWS sets {_range(low, high)}, whatever this one has set; --expires moves that end"]


def _idle(live: Live, steps: list[ChangeStep]) -> list[str]:
    """Alarms and policies that do nothing and that the steps leave so."""
    touched = {step.resource for step in steps}
    made = any(step.kind is Kind.ALARM and step.after for step in steps)  # for the policies that lack one
    return [
        f"{name} does nothing now: {why}"
        for name, why in live.idle.items()
        if name not in touched and not (made and name in live.policies and name.startswith(OWN_PREFIX))
    ]


def _resolution(steps: list[ChangeStep]) -> list[str]:
    if not any(step.kind is Kind.RESOLUTION and step.after for step in steps):
        return []
    return ["metrics every 20 s are switched on by a deployment of the service, and CloudWatch charges for them"]


def _schedules(live: Live, servers: ApiServers | None) -> list[str]:
    """Scheduled actions of somebody else: they set another range when their time comes."""
    notes = []
    for name, action in live.schedules.items():
        wanted = action.get("ScalableTargetAction") or {}
        low, high = wanted.get("MinCapacity"), wanted.get("MaxCapacity")
        same = servers is not None and (low in (None, servers.min)) and (high in (None, servers.max))
        if same or (name == EXPIRY and time_of(str(action.get("Schedule")))):
            continue
        zone = f" {action['Timezone']}" if action.get("Timezone") else ""
        undoes = "" if servers is None else f", which undoes {servers.min} to {servers.max}"
        notes.append(f"the scheduled action {name} ({action.get('Schedule')}{zone}) sets {_range(low, high)}{undoes}")
    return notes


def _range(low: int | None, high: int | None) -> str:
    """What a scheduled action sets; one that leaves a side as it is has none for it."""
    if low is None:
        return f"a maximum of {high} tasks"
    return f"a minimum of {low} tasks" if high is None else f"{low} to {high} tasks"


def _policies(live: Live, steps: list[ChangeStep]) -> list[str]:
    """Policies that are neither dbz's nor taken away."""
    gone = {step.resource for step in steps if step.kind is Kind.POLICY and step.after is None}
    foreign = [name for name in live.policies if not name.startswith(OWN_PREFIX) and name not in gone]
    if not foreign:
        return []
    alarms = [alarm.name for alarm in live.alarms.values() if not alarm.of_aws and alarm.policies & set(foreign)]
    by = f", set off by {', '.join(alarms)}" if alarms else ""
    verb = "scale" if len(foreign) > 1 else "scales"
    who = f"{', '.join(foreign)} of somebody else {verb} {live.service.name} too{by}"
    return [f"{who}: of several policies AWS follows the one that wants most tasks"]


def _deployments(live: Live) -> list[str]:
    service = live.service
    notes = []
    if service.failed:
        failed = f"the newest rollout of {service.name} has failed ({service.failed})"
        notes.append(f"{failed}: ECS starts no more tasks of it until it is deployed again")
    elif service.deploying:
        notes.append(f"a rollout of {service.name} is going on: it is waited for, and where it fails this is undone")
    if service.controller in _CONTROLLERS:
        who = f"{_CONTROLLERS[service.controller]} deploys {service.name} ({service.controller})"
        notes.append(f"{who}: during a deployment a change of the count can be lost, or make it fail")
    if service.breaker:
        what = f"the deployment circuit breaker {service.breaker} a deployment whose tasks fail"
        notes.append(what + ("; then what ran before runs again" if service.breaker == "rolls back" else ""))
    return notes


def _shared_balancer(live: Live, plan: Phases | None) -> list[str]:
    conditions = (*plan.scale_out_when_any, *plan.scale_in_when_all) if plan else ()
    shared = next((group for group in live.target_groups if group.shared), None)
    if shared is None or not any(condition.metric is Watched.ERROR_RATE for condition in conditions):
        return []
    what = f"the load balancer {shared.load_balancer} serves other target groups too"
    return [f"{what}: what it answers with 5xx itself, for any of them, counts in this service's error rate"]


def _swapped_groups(live: Live, steps: list[ChangeStep]) -> list[str]:
    """Alarms and policies on metrics of a target group that the service leaves with its next deployment."""
    if not live.service.swaps_groups:
        return []
    names, _ = _groups_in(live, steps)
    what = f"a blue/green deployment of {live.service.name} leaves the target group"
    return [f"{what} {name}: alarms on it know nothing then, until the phase is applied again" for name in names]


def _other_groups(live: Live, steps: list[ChangeStep]) -> list[str]:
    """Requests that come by another target group than the one that alarms and policies are about."""
    watched, others = _groups_in(live, steps)
    if not (watched and others):
        return []
    return [f"response times, requests and errors are those of {', '.join(watched)} alone, not of {', '.join(others)}"]


def _groups_in(live: Live, steps: list[ChangeStep]) -> tuple[list[str], list[str]]:
    """The service's target groups that alarms and policies among the steps are about, and the others."""
    made = json.dumps([step.after for step in steps if step.kind in (Kind.ALARM, Kind.POLICY)], default=str)
    names = [group.name for group in live.target_groups]
    return [name for name in names if name in made], [name for name in names if name not in made]


def _only_by_dbz(plan: Phases | None, steps: list[ChangeStep]) -> list[str]:
    """What the sentences mean to `dbz scale auto` and no policy of AWS can do."""
    made = any(step.kind is Kind.ALARM and step.after for step in steps)
    return list(ONLY_BY_DBZ) if plan and plan.scale_in_when_all and made else []


def notes_on_following(phase: Phase) -> tuple[str, ...]:
    """What a phase asks for once its tasks run, and nothing that a plan changes."""
    warm = "once the tasks run, the cache is to be warmed: dbz scale apply --warm (dbz cache warm --config "
    move = "once the tasks run, clubs are to move: dbz scale apply --move-clubs (dbz shard rebalance --config "
    said = ((warm, phase.warm_cache), (move, phase.move_clubs))
    return tuple(f"{text}{config})" for text, config in said if config)


ONLY_BY_DBZ = (
    "AWS scales in without asking whether the load would come back on fewer tasks; only dbz scale auto does",
    "AWS counts cooldown_in from the last step in only; dbz scale auto counts it from the last step of either kind",
)
