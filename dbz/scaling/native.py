"""From conditions to CloudWatch alarms and scaling policies, so that AWS scales by the same sentences. Pure.

*Out when any*: an alarm for each sentence, all with the same policy unless a sentence says how many tasks it adds.
*In when all*: one alarm over an expression, for composite alarms cannot scale; it must hold in every minute of the
longest duration, which is never laxer than the sentences.

Missing data are treated as not breaching. CloudWatch does so only when there are fewer real datapoints than the alarm
has periods, and it looks a little further back for those; so datapoints that come late are waited for. The other
treatments would not do: by `missing` a single old breaching datapoint with nothing after it is an alarm; by `ignore`
the alarm of a metric that has stopped goes on for ever, and with it the scaling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import SHARES, Watched
from dbz.config.phases.balancers import APPLICATION
from dbz.config.phases.plan import Phases, Scaling
from dbz.errors import UsageError
from dbz.scaling.change.names import IN_POLICY, OUT_POLICY, POLICY_ARN
from dbz.scaling.change.state import Json, Live
from dbz.scaling.decide.tracking import APP_NAMESPACE, CONNECTIONS, refuse_other_balancer, tracking_policies

_COMPARE = {
    ">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold", "<=": "LessThanOrEqualToThreshold",
}  # fmt: skip
_OPERATOR_WORDS = {">": "over", ">=": "from", "<": "under", "<=": "to"}
MOST_METRICS = 10
"""As many metrics as the expression of an alarm may be about."""
_ABSENT = -1
"""What stands for a missing value; no metric that scales is below zero."""
ECS_METRICS = {Watched.CPU: "CPUUtilization", Watched.MEMORY: "MemoryUtilization"}


def policies_for(plan: Phases) -> dict[str, Json]:
    """The policies by name, as PutScalingPolicy takes them: a step policy for each direction that has conditions, one
    for each sentence that says itself how many tasks it adds, and those of target tracking."""
    scaling = plan.scaling
    policies: dict[str, Json] = {}
    for each in plan.scale_out_when_any:
        name = _out_policy(each)
        policies[name] = _step_policy(name, _adjustments(each, scaling), scaling.cooldown_out)
    if plan.scale_in_when_all:
        policies[IN_POLICY] = _step_policy(IN_POLICY, _same_everywhere(-scaling.step), scaling.cooldown_in)
    return policies | tracking_policies(plan.target_tracking, scaling)


def _out_policy(condition: Condition) -> str:
    """The name of the policy that a sentence sets off: bounds of steps are counted from its own limit."""
    if not condition.sized:
        return OUT_POLICY
    words = str(condition.plain()).replace(condition.op, _OPERATOR_WORDS[condition.op]).lower()
    return f"{OUT_POLICY}-{'-'.join(re.findall(r'[a-z0-9]+', words))}"


def _step_policy(name: str, adjustments: list[dict[str, float]], cooldown_s: float) -> Json:
    return {
        "PolicyName": name,
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": adjustments,
            "Cooldown": round(cooldown_s),
            "MetricAggregationType": "Average",
        },
    }


def _same_everywhere(change: int) -> list[dict[str, float]]:
    """Both sides of the limit, because an alarm of M of N may last when the newest value is on the other side."""
    return [
        {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": change},
        {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": change},
    ]


def _adjustments(condition: Condition, scaling: Scaling) -> list[dict[str, float]]:
    """The steps of a sentence as AWS takes them: intervals without gaps, counted from the limit of the alarm."""
    change = condition.tasks or scaling.step
    if not condition.steps:
        return _same_everywhere(change)
    near, far = "MetricIntervalLowerBound", "MetricIntervalUpperBound"
    if condition.op.startswith("<"):
        near, far = far, near
    limit = _limit(condition, scaling)
    bounds = [round(_limit(replace(condition, limit=one.limit), scaling) - limit, 9) for one in condition.steps]
    rows: list[dict[str, float]] = [{far: 0.0, "ScalingAdjustment": change}]
    changes = [change, *(one.tasks for one in condition.steps)]
    for begin, end, tasks in zip([0.0, *bounds], [*bounds, None], changes, strict=True):
        rows.append({near: begin, **({} if end is None else {far: end}), "ScalingAdjustment": tasks})
    return rows


def alarms_for(plan: Phases, prefix: str) -> dict[str, Json]:
    """The alarms by name, as PutMetricAlarm takes them; `UsageError` for a sentence that no alarm can say."""
    scaling = plan.scaling
    alarms: dict[str, Json] = {}
    for each in plan.scale_out_when_any:
        name = f"{prefix}out {each.plain()}"
        needed, window = each.samples(_period_s(scaling))
        alarms[name] = {
            **_common(name, _out_policy(each), needed, window),
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
        "TreatMissingData": "notBreaching",
    }


def _threshold(condition: Condition, scaling: Scaling) -> dict[str, Any]:
    """One sentence as a plain alarm, or as an expression when its metric is a quotient."""
    compare = {"ComparisonOperator": _COMPARE[condition.op], "Threshold": _limit(condition, scaling)}
    reading = _reading(condition, scaling, "m")
    if len(reading.queries) == 1:
        stat = reading.queries[0]["MetricStat"]
        return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"], **compare}
    return {"Metrics": [*reading.queries, _math("m", reading.value)], **compare}


def _all_of(conditions: list[Condition], scaling: Scaling) -> dict[str, Any]:
    """All sentences as one expression that is 1 where all hold, 0 where one does not, and missing where one metric is.

    A comparison may take a missing value for 0, and 0 is less than every limit. So each metric is asked first whether
    it is there, filled with a number that no metric has; where that finds one, IF without an alternative is missing.
    """
    readings = [_reading(each, scaling, f"m{number}") for number, each in enumerate(conditions, 1)]
    queries = [query for reading in readings for query in reading.queries]
    if len(queries) > MOST_METRICS:
        raise UsageError(
            f"scale_in_when_all needs {len(queries)} metrics, and an alarm takes {MOST_METRICS} at most",
            hint="fewer sentences; or set scaling.autoscaler: dbz",
            code="S020",
        )
    there = " AND ".join(f"FILL({reading.whole}, {_ABSENT}) >= 0" for reading in readings)
    limits = [f"{_limit(each, scaling):.12g}" for each in conditions]
    rows = zip(readings, conditions, limits, strict=True)
    hold = " AND ".join(f"{reading.value} {each.op} {limit}" for reading, each, limit in rows)
    return {
        "Metrics": [*queries, _math("all", f"IF({there}, IF({hold}, 1, 0))")],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1.0,
    }


@dataclass(frozen=True)
class _Reading:
    """How the metric of a sentence is read."""

    queries: list[dict[str, Any]]
    """What PutMetricAlarm takes as `Metrics`, without expressions."""
    value: str
    """The metric as an expression over their ids."""
    whole: str
    """The id of the query without which nothing is known; others may be without datapoints where there is nothing to
    count."""


def _reading(condition: Condition, scaling: Scaling, name: str) -> _Reading:
    queries = _queries(condition, scaling, name)
    if condition.metric is not Watched.ERROR_RATE:
        return _Reading(queries, name, name)
    target, balancer, requests = (query["Id"] for query in queries)
    failed = f"(FILL({target}, 0) + FILL({balancer}, 0))"
    return _Reading(queries, f"{failed} / ({requests} + FILL({balancer}, 0))", requests)


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
            code="S020",
        )
    return queries_for(condition.metric, scaling, name)


def queries_for(metric: Watched, scaling: Scaling, name: str) -> list[dict[str, Any]]:
    """What GetMetricData takes to read a metric, with ids that begin with `name`; three for an error rate: failures of
    the targets, failures of the load balancer itself, requests.

    `UsageError` when that needs a load balancer and none is named.
    """
    period_s = _period_s(scaling)
    service = [{"Name": "ClusterName", "Value": scaling.cluster}, {"Name": "ServiceName", "Value": scaling.service}]
    if metric in ECS_METRICS:
        return [_query(name, "AWS/ECS", ECS_METRICS[metric], service, "Average", period_s)]
    if metric is Watched.CONNECTIONS:
        return [_query(name, APP_NAMESPACE, CONNECTIONS, service, "Average", period_s)]
    if not scaling.load_balancer:
        raise UsageError(
            f"a condition on {metric.value} needs scaling.load_balancer, as in app/my-alb/50dc6c495c0c9188", code="S020"
        )
    refuse_other_balancer(metric, scaling.load_balancer)
    whole = [{"Name": "LoadBalancer", "Value": scaling.load_balancer}]
    # Other services may be behind the same balancer: their requests are not this one's.
    own = [*whole, {"Name": "TargetGroup", "Value": scaling.target_group}] if scaling.target_group else whole
    alb = "AWS/ApplicationELB"
    if metric is Watched.RESPONSE_TIME:
        return [_query(name, alb, "TargetResponseTime", own, "Average", period_s)]
    if metric is Watched.REQUESTS:
        return [_query(name, alb, "RequestCount", own, "Sum", period_s)]
    return [
        _query(f"{name}a", alb, "HTTPCode_Target_5XX_Count", own, "Sum", period_s),
        # What the balancer answers itself when no target does, 502 to 504; it is counted for the balancer only.
        _query(f"{name}b", alb, "HTTPCode_ELB_5XX_Count", whole, "Sum", period_s),
        _query(f"{name}c", alb, "RequestCount", own, "Sum", period_s),
    ]


def error_rate_of(target: float | None, balancer: float | None, requests: float | None) -> float | None:
    """The error rate of one period, by the three metrics of `queries_for`; None when nobody asked anything.

    A failure without a datapoint is none. `RequestCount` leaves out the requests for which no target could be chosen,
    so what the balancer answered itself is added to it.
    """
    if requests is None and not balancer:
        return None
    whole = (requests or 0.0) + (balancer or 0.0)
    return ((target or 0.0) + (balancer or 0.0)) / whole if whole else None


def _query(
    name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], stat: str, period_s: int
) -> dict[str, Any]:
    found = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": found, "Period": period_s, "Stat": stat}, "ReturnData": False}


def with_balancer(plan: Phases, live: Live) -> Phases:
    """The plan with the load balancer and target group of the service where it names none and there is one; of several
    the first that is an Application Load Balancer's."""
    behind = [group for group in live.target_groups if group.load_balancer]
    if not behind:
        return plan
    known = next((group for group in behind if group.load_balancer.startswith(APPLICATION)), behind[0])
    scaling = plan.scaling
    found = {
        "load_balancer": scaling.load_balancer or known.load_balancer,
        "target_group": scaling.target_group or known.name,
    }
    return plan.model_copy(update={"scaling": scaling.model_copy(update=found)})
