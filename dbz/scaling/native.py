"""From conditions to CloudWatch alarms and scaling policies, so that AWS scales by the same sentences. Pure.

*Out when any*: an alarm for each sentence, all with the same policy. *In when all*: one alarm over an expression, for
composite alarms cannot scale; it must hold in every minute of the longest duration, which is never laxer than the
sentences. Missing data keep an alarm's state, and an expression over missing data is missing.
"""

from __future__ import annotations

from typing import Any

from dbz.config.grammar.conditions import SHARES, Condition, Watched
from dbz.config.phases import Phases, Scaling
from dbz.errors import UsageError
from dbz.scaling.change.names import IN_POLICY, OUT_POLICY, POLICY_ARN
from dbz.scaling.change.state import Json, Live
from dbz.scaling.decide.tracking import APP_NAMESPACE, CONNECTIONS, tracking_policies

_COMPARE = {
    ">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold", "<=": "LessThanOrEqualToThreshold",
}  # fmt: skip
_ECS = {Watched.CPU: "CPUUtilization", Watched.MEMORY: "MemoryUtilization"}


def policies_for(plan: Phases) -> dict[str, Json]:
    """The policies by name, as PutScalingPolicy takes them: a step policy for each direction that has conditions, and
    those of target tracking."""
    scaling = plan.scaling
    changes = [(OUT_POLICY, scaling.step, scaling.cooldown_out)] if plan.scale_out_when_any else []
    changes += [(IN_POLICY, -scaling.step, scaling.cooldown_in)] if plan.scale_in_when_all else []
    steps: dict[str, Json] = {
        name: {
            "PolicyName": name,
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [
                    {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": change},
                    {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": change},
                ],
                "Cooldown": round(cooldown_s),
                "MetricAggregationType": "Average",
            },
        }
        for name, change, cooldown_s in changes
    }
    return steps | tracking_policies(plan.target_tracking, scaling)


def alarms_for(plan: Phases, prefix: str) -> dict[str, Json]:
    """The alarms by name, as PutMetricAlarm takes them; `UsageError` for a sentence that no alarm can say."""
    scaling = plan.scaling
    alarms: dict[str, Json] = {}
    for each in plan.scale_out_when_any:
        name = f"{prefix}out {each}"
        needed, window = each.samples(_period_s(scaling))
        alarms[name] = {
            **_common(name, OUT_POLICY, needed, window),
            **_threshold(each, scaling),
        }
    if plan.scale_in_when_all:
        name = f"{prefix}in"
        window = max(each.samples(_period_s(scaling))[1] for each in plan.scale_in_when_all)
        alarms[name] = {**_common(name, IN_POLICY, window, window), **_all_of(plan.scale_in_when_all, scaling)}
    return alarms


def _period_s(scaling: Scaling) -> int:
    return max(1, round(scaling.period))


def _common(name: str, policy: str, needed: int, window: int) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": "made by dbz scale from the scaling plan",
        "ActionsEnabled": True,
        "AlarmActions": [f"{POLICY_ARN}{policy}"],
        "EvaluationPeriods": window,
        "DatapointsToAlarm": needed,
        "TreatMissingData": "missing",
    }


def _threshold(condition: Condition, scaling: Scaling) -> dict[str, Any]:
    """One sentence as a plain alarm, or as an expression when its metric is a quotient."""
    compare = {"ComparisonOperator": _COMPARE[condition.op], "Threshold": _limit(condition, scaling)}
    queries = _queries(condition, scaling, "m")
    if len(queries) == 1:
        stat = queries[0]["MetricStat"]
        return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"], **compare}
    return {"Metrics": [*queries, _math("m", "ma / mb")], **compare}


def _all_of(conditions: list[Condition], scaling: Scaling) -> dict[str, Any]:
    queries: list[dict[str, Any]] = []
    terms = []
    for at, each in enumerate(conditions, 1):
        mine = _queries(each, scaling, f"m{at}")
        queries += mine
        value = f"m{at}" if len(mine) == 1 else f"m{at}a / m{at}b"
        terms.append(f"{value} {each.op} {_limit(each, scaling):.12g}")
    expression = _math("all", f"IF({' AND '.join(terms)}, 1, 0)")
    return {
        "Metrics": [*queries, expression],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1.0,
    }


def _math(name: str, expression: str) -> dict[str, Any]:
    return {"Id": name, "Expression": expression, "ReturnData": True}


def _limit(condition: Condition, scaling: Scaling) -> float:
    """The limit in the unit of the metric: percent, seconds, connections of one task, requests in a period."""
    if condition.of_capacity:
        return condition.limit * scaling.connections_per_server
    if condition.metric is Watched.RESPONSE_TIME:
        return condition.limit / 1000
    if condition.metric is Watched.REQUESTS:
        return condition.limit * _period_s(scaling)
    percent = condition.metric in SHARES and condition.metric is not Watched.ERROR_RATE
    return round(condition.limit * (100 if percent else 1), 9)


def _queries(condition: Condition, scaling: Scaling, name: str) -> list[dict[str, Any]]:
    if condition.metric is Watched.CONNECTIONS and not condition.of_capacity:
        raise UsageError(
            f"'{condition}' cannot be an alarm: CloudWatch does not know how many tasks share the connections",
            hint="write it as a share: Active connections > 80% capacity; or set scaling.autoscaler: dbz",
        )
    return queries_for(condition.metric, scaling, name)


def queries_for(metric: Watched, scaling: Scaling, name: str) -> list[dict[str, Any]]:
    """What GetMetricData takes to read a metric, with ids that begin with `name`; two for a quotient.

    `UsageError` when that needs a load balancer and none is named.
    """
    period_s = _period_s(scaling)
    service = [{"Name": "ClusterName", "Value": scaling.cluster}, {"Name": "ServiceName", "Value": scaling.service}]
    if metric in _ECS:
        return [_query(name, "AWS/ECS", _ECS[metric], service, "Average", period_s)]
    if metric is Watched.CONNECTIONS:
        return [_query(name, APP_NAMESPACE, CONNECTIONS, service, "Average", period_s)]
    if not scaling.load_balancer:
        raise UsageError(
            f"a condition on {metric.value} needs scaling.load_balancer, as in app/my-alb/50dc6c495c0c9188"
        )
    balancer = [{"Name": "LoadBalancer", "Value": scaling.load_balancer}]
    alb = "AWS/ApplicationELB"
    if metric is Watched.RESPONSE_TIME:
        return [_query(name, alb, "TargetResponseTime", balancer, "Average", period_s)]
    requests = _query(name, alb, "RequestCount", balancer, "Sum", period_s)
    if metric is Watched.REQUESTS:
        return [requests]
    failed = _query(f"{name}a", alb, "HTTPCode_Target_5XX_Count", balancer, "Sum", period_s)
    return [failed, {**requests, "Id": f"{name}b"}]


def _query(
    name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], stat: str, period_s: int
) -> dict[str, Any]:
    found = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": found, "Period": period_s, "Stat": stat}, "ReturnData": False}


def with_balancer(plan: Phases, live: Live) -> Phases:
    """The plan with the load balancer and target group of the service where it names none and there is one."""
    known = next((one for one in live.target_groups if one.load_balancer), None)
    if known is None:
        return plan
    scaling = plan.scaling
    found = {
        "load_balancer": scaling.load_balancer or known.load_balancer,
        "target_group": scaling.target_group or known.name,
    }
    return plan.model_copy(update={"scaling": scaling.model_copy(update=found)})
