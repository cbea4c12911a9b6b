"""What Application Auto Scaling says it did, and why it did not: DescribeScalingActivities, unknown to moto."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

MOST_KEPT = 100


def install() -> None:
    """Answer the call; to be called once in a process."""
    ApplicationAutoScalingResponse.describe_scaling_activities = _describe  # type: ignore[attr-defined]


def _describe(response: Any) -> str:
    resource, unscaled = response._get_param("ResourceId"), bool(response._get_param("IncludeNotScaledActivities"))
    known = getattr(response.applicationautoscaling_backend, "activities", [])
    known = [one for one in known if resource in (None, one["ResourceId"])]
    wanted = [one for one in known if unscaled or not one["NotScaledReasons"]]
    return json.dumps({"ScalingActivities": wanted[: response._get_int_param("MaxResults") or 50]})


def note(backend: Any, policy: Any, alarm: Any, before: int, after: int, target: Any) -> None:
    """Remember an activity of a policy; one that leaves the number did not scale, which is said once in a row."""
    activities = backend.__dict__.setdefault("activities", [])
    reasons = []
    if before == after:
        at_max, at_min = after >= target.max_capacity, after <= target.min_capacity
        code = "AlreadyAtMaxCapacity" if at_max else "AlreadyAtMinCapacity" if at_min else "AlreadyAtDesiredCapacity"
        limits = {"MaxCapacity": target.max_capacity} if at_max else {"MinCapacity": target.min_capacity}
        reasons = [{"Code": code, "CurrentCapacity": before, **(limits if at_max or at_min else {})}]
        newest = next((one for one in activities if one["ResourceId"] == policy.resource_id), None)
        if newest and newest["NotScaledReasons"] == reasons:
            return
    now_s = time.time()
    description = "Attempting to scale due to alarm triggered" if reasons else f"Setting desired count to {after}."
    activity = {
        "ActivityId": str(uuid.uuid4()), "ServiceNamespace": "ecs", "ResourceId": policy.resource_id,
        "ScalableDimension": policy.scalable_dimension, "StartTime": now_s, "EndTime": now_s,
        "Cause": f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}",
        "StatusCode": "Unfulfilled" if reasons else "Successful", "NotScaledReasons": reasons,
        "Description": description,
    }  # fmt: skip
    activities.insert(0, activity)
    del activities[MOST_KEPT:]
