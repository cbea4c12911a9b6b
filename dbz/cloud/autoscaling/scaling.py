"""What Application Auto Scaling does with its policies and scheduled actions."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from typing import Any

from dbz.cloud.autoscaling.activities import note
from dbz.cloud.autoscaling.tracking import ratio
from dbz.cloud.cloudwatch.alarms import evaluate_alarm
from dbz.cloud.corrections import clamp

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


class ApplicationAutoScaling:
    """Evaluates alarms and carries out what hangs on them; cooldowns are counted for each policy."""

    def __init__(self, ecs: Any, cloudwatch: Any, scaling: Any) -> None:
        self._ecs, self._cloudwatch, self._scaling = ecs, cloudwatch, scaling
        self._acted: dict[str, tuple[float, int]] = {}
        """When each policy acted last, and how many tasks it added."""
        self._newest: dict[str, float | None] = {}

    def tick(self) -> None:
        """Look at every alarm, then at the actions of those that are in alarm. An action is repeated as long as its
        alarm lasts, as AWS does it for scaling policies."""
        self._scheduled()
        for alarm in list(self._cloudwatch.alarms.values()):
            if alarm.rule:
                continue  # a composite alarm cannot scale
            self._newest[alarm.name] = evaluate_alarm(self._cloudwatch, alarm, time.time())
        for alarm in list(self._cloudwatch.alarms.values()):
            value = self._newest.get(alarm.name)
            if alarm.state_value == "ALARM" and alarm.actions_enabled and value is not None:
                for policy in self._scaling.policies.values():
                    if any(action.startswith(policy.policy_arn) for action in alarm.alarm_actions):
                        self._act(policy, alarm, value)

    def _act(self, policy: Any, alarm: Any, value: float) -> None:
        target = self._scaling.targets.get(policy.scalable_dimension, {}).get(policy.resource_id)
        service = self._service(policy.resource_id)
        if target is None or service is None:
            return
        step = policy.step_scaling_policy_configuration
        above = alarm.comparison_operator.startswith("Greater")
        if step:
            wanted = _stepped(step, service, value - float(alarm.threshold))
        else:
            wanted = _tracked(alarm, service, value) if above else self._tracked_in(policy, service)
        added, now_s = wanted - service.desired_count, time.monotonic()
        wanted = _within(target, wanted)
        inwards = wanted < service.desired_count
        suspended = target.suspended_state or {}
        if suspended.get(f"DynamicScaling{'In' if inwards else 'Out'}Suspended"):
            return
        if wanted == service.desired_count:
            note(self._scaling, policy, alarm, wanted, wanted, target)
            return
        acted_s, before = self._acted.get(policy.policy_arn, (-math.inf, 0))
        if now_s - acted_s < _cooldown_s(policy, inwards=inwards):
            # "The capacity added by the initiating scale-out event is calculated as part of the desired capacity for
            # the next scale-out event": a step policy whose breach has grown adds the difference while it rests.
            wanted = _within(target, service.desired_count + added - max(before, 0))
            if not step or inwards or wanted <= service.desired_count:
                return
        self._acted[policy.policy_arn] = now_s, added
        note(self._scaling, policy, alarm, service.desired_count, wanted, target)
        service.desired_count = wanted

    def _tracked_in(self, policy: Any, service: Any) -> int:
        """Several policies scale in when the low alarms of all of them last, to the largest of their numbers."""
        numbers = []
        for one in self._scaling.policies.values():
            configuration = one.target_tracking_scaling_policy_configuration
            if one.resource_id != policy.resource_id or not configuration or configuration.get("DisableScaleIn"):
                continue
            low = next(alarm for alarm in one.alarms if alarm.comparison_operator.startswith("Less"))
            value = self._newest.get(low.name)
            if low.state_value != "ALARM" or value is None:
                return int(service.desired_count)
            numbers.append(_tracked(low, service, value))
        return max(numbers, default=int(service.desired_count))

    def _service(self, resource_id: str) -> Any | None:
        _, cluster, name = resource_id.split("/")
        found, _ = self._ecs.describe_services(cluster, [name])
        return found[0] if found else None

    def _scheduled(self) -> None:
        now = datetime.now(UTC)
        for action in list(self._scaling.scheduled_actions):
            at = _AT.fullmatch(action.schedule)
            if at is None or datetime.fromisoformat(at[1] + "+00:00") > now:
                continue
            self._scaling.scheduled_actions.remove(action)
            target = self._scaling.targets.get(action.scalable_dimension, {}).get(action.resource_id)
            if target is not None:
                wanted = action.scalable_target_action
                target.update(wanted.get("MinCapacity"), wanted.get("MaxCapacity"), None)
                clamp(self._scaling, target)


def _within(target: Any, count: int) -> int:
    """A count cut to the range of a scalable target."""
    return int(min(max(count, target.min_capacity), target.max_capacity))


def _stepped(step: Any, service: Any, beyond: float) -> int:
    """The count after a step adjustment; the interval is chosen by how far the metric is beyond the threshold. Of the
    bounds the nearer one belongs to it, above the threshold and below."""
    for one in step["StepAdjustments"]:
        low = one.get("MetricIntervalLowerBound")
        high = one.get("MetricIntervalUpperBound")
        above = beyond >= 0
        from_low = low is None or (beyond >= float(low) if above else beyond > float(low))
        to_high = high is None or (beyond < float(high) if above else beyond <= float(high))
        if from_low and to_high:
            change = int(one["ScalingAdjustment"])
            kind = step["AdjustmentType"]
            if kind == "ExactCapacity":
                return change
            percent = kind == "PercentChangeInCapacity"
            return int(service.desired_count) + (round(service.desired_count * change / 100) if percent else change)
    return int(service.desired_count)


def _tracked(alarm: Any, service: Any, value: float) -> int:
    """The count that would bring the metric to its target, never against the alarm's direction."""
    wanted: int = math.ceil(round(service.running_count * ratio(alarm, value), 9))
    above = alarm.comparison_operator.startswith("Greater")
    return max(int(service.desired_count), wanted) if above else min(int(service.desired_count), wanted)


def _cooldown_s(policy: Any, *, inwards: bool) -> float:
    step = policy.step_scaling_policy_configuration
    if step:
        return float(step.get("Cooldown", 300))
    configuration = policy.target_tracking_scaling_policy_configuration
    return float(configuration.get("ScaleInCooldown" if inwards else "ScaleOutCooldown", 300))
