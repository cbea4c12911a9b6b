"""CloudWatch alarms that are evaluated: M of N datapoints, missing data as each alarm treats them."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Any

from dbz.cloud.cloudwatch.expressions import evaluate

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": lambda values: float(len(values)),
}


def evaluate_alarm(cloudwatch: Any, alarm: Any, now_s: float) -> float | None:
    """Set the alarm's state by its newest datapoints; the newest value, or None when there is none."""
    points = datapoints(cloudwatch, alarm, now_s)
    needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    compare = _COMPARE[alarm.comparison_operator]
    missing = alarm.treat_missing_data or "missing"
    known = [point for point in points if point is not None]
    breaching = sum(compare(point, float(alarm.threshold)) for point in known)
    fine = len(known) - breaching
    absent = len(points) - len(known)
    breaching += absent if missing == "breaching" else 0
    fine += absent if missing == "notBreaching" else 0
    if breaching >= needed:
        state = "ALARM"
    elif fine > len(points) - needed:
        state = "OK"
    elif not known and missing == "missing":
        state = "INSUFFICIENT_DATA"
    else:
        state = alarm.state_value
    if state != alarm.state_value:
        shown = ", ".join("missing" if point is None else f"{point:.4g}" for point in points)
        alarm.update_state(f"Threshold {alarm.threshold}: datapoints {shown}", "{}", state)
    return points[-1]


def datapoints(cloudwatch: Any, alarm: Any, now_s: float) -> list[float | None]:
    """The alarm's datapoints of its last N complete periods, oldest first."""
    queries = alarm.metric_data_queries
    period_s = float(alarm.period or _period_of(queries))
    end_s = now_s // period_s * period_s
    count = int(alarm.evaluation_periods)
    begins = [end_s - period_s * back for back in range(count, 0, -1)]
    if not queries:
        dimensions = {(one.name, one.value) for one in alarm.dimensions}
        metric = (alarm.namespace, alarm.metric_name, dimensions, alarm.statistic)
        return [_statistic(cloudwatch, metric, begin, begin + period_s) for begin in begins]
    return [_expression(cloudwatch, queries, begin, begin + period_s) for begin in begins]


def _period_of(queries: Any) -> float:
    return max(float(one.metric_stat.period) for one in queries if one.metric_stat)


def _expression(cloudwatch: Any, queries: Any, begin_s: float, end_s: float) -> float | None:
    values: dict[str, float] = {}
    wanted = ""
    for one in queries:
        if one.expression:
            wanted = one.expression
            continue
        metric = one.metric_stat.metric
        dimensions = {(each.name, each.value) for each in metric.dimensions}
        key = (metric.namespace, metric.metric_name, dimensions, one.metric_stat.stat)
        value = _statistic(cloudwatch, key, begin_s, end_s)
        if value is None:  # as in CloudWatch, an expression over a missing value is missing
            return None
        values[one.id] = value
    return evaluate(wanted, values)


def _statistic(cloudwatch: Any, metric: tuple[str, str, set[Any], str], begin_s: float, end_s: float) -> float | None:
    namespace, name, dimensions, statistic = metric
    values = [
        one.value
        for one in cloudwatch.metric_data
        if one.name == name
        and one.namespace == namespace
        and begin_s <= _seconds(one.timestamp) < end_s
        and {(each.name, each.value) for each in one.dimensions} == dimensions
    ]
    return _STATISTICS[statistic](values) if values else None


def _seconds(timestamp: Any) -> float:
    """moto keeps UTC without saying so."""
    if timestamp.tzinfo is None:
        return float(timestamp.timestamp() - time.mktime(time.gmtime(0)))
    return float(timestamp.timestamp())
