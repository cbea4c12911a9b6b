"""The alarms of target tracking: on the metric of the policy, looked at as often as metrics are written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudwatch.models import Dimension

IN_BELOW = 0.9
"""AWS scales in below nine tenths of the target."""
FINER = 3
"""So many datapoints of 20 s in a minute."""
_ECS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def create_alarms(period_s: float) -> Callable[[Any, Any], None]:
    """What a policy does when it is made: the alarms of moto, corrected. The 3 minutes out and 15 in are as many
    periods of `period_s` here."""

    def create(original: Any, policy: Any) -> None:
        original(policy)
        configuration = policy.target_tracking_scaling_policy_configuration or {}
        for alarm in policy.alarms:
            _correct(alarm, policy.resource_id, configuration, period_s)

    return create


def ratio(alarm: Any, value: float) -> float:
    """A value of the alarm's metric over the target of its policy."""
    above = alarm.comparison_operator.startswith("Greater")
    return value / (float(alarm.threshold) / (1.0 if above else IN_BELOW))


def _correct(alarm: Any, resource_id: str, configuration: Any, period_s: float) -> None:
    target = float(configuration["TargetValue"])
    own = configuration.get("CustomizedMetricSpecification")
    named = configuration.get("PredefinedMetricSpecification", {})
    _, cluster, service = resource_id.split("/")
    fine = False
    if own:
        alarm.namespace, alarm.metric_name, alarm.statistic = own["Namespace"], own["MetricName"], own["Statistic"]
        dimensions = {one["Name"]: one["Value"] for one in own.get("Dimensions", [])}
    elif named["PredefinedMetricType"] == "ALBRequestCountPerTarget":
        balancer, group = named["ResourceLabel"].split("/targetgroup/")
        alarm.namespace, alarm.metric_name, alarm.statistic = "AWS/ApplicationELB", "RequestCountPerTarget", "Sum"
        dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
        target *= period_s / 60  # the target is of a minute
    else:
        metric = named["PredefinedMetricType"]
        fine = metric.endswith("HighResolution")
        alarm.namespace, alarm.metric_name = "AWS/ECS", _ECS[metric.removesuffix("HighResolution")]
        dimensions = {"ClusterName": cluster, "ServiceName": service}
    alarm.dimensions = [Dimension(name, value) for name, value in dimensions.items()]
    alarm.period = max(1, round(period_s / FINER if fine else period_s))
    if fine and alarm.comparison_operator.startswith("Less"):
        alarm.evaluation_periods *= FINER  # 15 minutes all the same
    alarm.unit = None
    alarm.threshold = target * (1.0 if alarm.comparison_operator.startswith("Greater") else IN_BELOW)
