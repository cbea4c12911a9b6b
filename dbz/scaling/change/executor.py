"""Carrying out one step through the AWS APIs, and looking at what its resource is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbz.config.grammar.target_tracking import COARSE_S, FINE_S
from dbz.scaling.change.live import AAS, read_cache, read_fine_metrics, read_live, read_service, read_target
from dbz.scaling.change.names import ALARM_ACTIONS, POLICY_ARN
from dbz.scaling.change.steps import ChangeStep, Kind
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.refusals import NotThereError


class Executor:
    """The steps of one service."""

    def __init__(self, handle: ServiceHandle) -> None:
        self._handle, self._aws = handle, handle.aws
        self._resource = handle.scalable

    def current(self, step: ChangeStep) -> Any:
        """What the step's resource is now, in the form of `before` and `after`."""
        if step.kind is Kind.DESIRED:
            return read_service(self._handle).desired
        if step.kind is Kind.TARGET:
            return read_target(self._handle)
        if step.kind is Kind.REPLICAS:
            return read_cache(self._aws, step.resource).replicas
        if step.kind is Kind.RESOLUTION:
            return read_fine_metrics(self._handle)
        live = read_live(self._handle)
        if step.kind is Kind.POLICY:
            return live.policies.get(step.resource)
        if step.kind is Kind.SCHEDULE:
            return live.schedules.get(step.resource)
        alarm = live.alarms.get(step.resource)
        return alarm.settings if alarm else None

    def attached(self) -> set[str]:
        """The names of all policies and scheduled actions of the service."""
        live = read_live(self._handle)
        return {*live.policies, *live.schedules}

    def perform(self, step: ChangeStep) -> None:
        """Make the call. Each of them may be made again without harm."""
        perform = {
            Kind.DESIRED: self._desired,
            Kind.TARGET: self._target,
            Kind.POLICY: self._policy,
            Kind.ALARM: self._alarm,
            Kind.REPLICAS: self._replicas,
            Kind.SCHEDULE: self._schedule,
            Kind.RESOLUTION: self._resolution,
        }
        perform[step.kind](step)

    def _desired(self, step: ChangeStep) -> None:
        handle = self._handle
        self._aws.call("ecs", "update_service", cluster=handle.cluster, service=handle.name, desiredCount=step.after)

    def _target(self, step: ChangeStep) -> None:
        if step.after is None:
            self._gone(AAS, "deregister_scalable_target", **self._resource)
        else:
            self._aws.call(AAS, "register_scalable_target", **self._resource, **step.after)

    def _policy(self, step: ChangeStep) -> None:
        if step.after is None:
            self._gone(AAS, "delete_scaling_policy", PolicyName=step.resource, **self._resource)
        else:
            self._aws.call(AAS, "put_scaling_policy", **self._resource, **step.after)

    def _schedule(self, step: ChangeStep) -> None:
        if step.after is None:
            self._gone(AAS, "delete_scheduled_action", ScheduledActionName=step.resource, **self._resource)
        else:
            self._aws.call(AAS, "put_scheduled_action", **self._resource, **step.after)

    def _alarm(self, step: ChangeStep) -> None:
        if step.after is None:
            self._gone("cloudwatch", "delete_alarms", AlarmNames=[step.resource])
            return
        arns = (
            self._arns() if any(_policy_of(one) for name in ALARM_ACTIONS for one in step.after.get(name, [])) else {}
        )
        actions = {
            name: [_arn_of(one, self._handle.resource_id, arns) for one in step.after[name]]
            for name in ALARM_ACTIONS
            if name in step.after
        }
        self._aws.call("cloudwatch", "put_metric_alarm", **{**step.after, **actions})

    def _arns(self) -> dict[str, str]:
        """The ARNs of the service's policies by their names; a policy that is made again has another one."""
        found = self._aws.pages(AAS, "describe_scaling_policies", "ScalingPolicies", **self._resource)
        return {str(one["PolicyName"]): str(one["PolicyARN"]) for one in found}

    def _resolution(self, step: ChangeStep) -> None:
        """Another resolution is another service revision, and so a deployment."""
        names, seconds = (step.after, FINE_S) if step.after else (step.before, COARSE_S)
        configuration = {"metricConfigurations": [{"metricNames": list(names), "resolutionSeconds": seconds}]}
        handle = self._handle
        self._aws.call("ecs", "update_service", cluster=handle.cluster, service=handle.name, monitoring=configuration)

    def _replicas(self, step: ChangeStep) -> None:
        verb = "increase" if step.after > step.before else "decrease"
        self._aws.call(
            "elasticache", f"{verb}_replica_count",
            ReplicationGroupId=step.resource, NewReplicaCount=step.after, ApplyImmediately=True,
        )  # fmt: skip

    def _gone(self, service: str, operation: str, /, **parameters: Any) -> None:
        """Take something away that may have gone already."""
        try:
            self._aws.call(service, operation, **parameters)
        except NotThereError:
            return


def _policy_of(action: str) -> str:
    """The name of the scaling policy that an action of an alarm is; empty: something else."""
    if action.startswith(POLICY_ARN):
        return action.removeprefix(POLICY_ARN)
    return action.partition(":policyName/")[2].partition(":createdBy/")[0]


def _arn_of(action: str, resource_id: str, arns: Mapping[str, str]) -> str:
    """The ARN for `policy:NAME`, which is known only once the policy exists.

    A journal of an older dbz has the ARN that the policy had when the plan was made; it counts where it still exists.
    """
    name = _policy_of(action)
    if action.startswith(POLICY_ARN):
        if name not in arns:
            raise NotThereError(f"the scaling policy {name} does not exist", code="S007")
        return arns[name]
    own = f":resource/ecs/{resource_id}:policyName/" in action
    return arns.get(name, action) if own and action not in arns.values() else action
