"""CloudWatch alarms, evaluated as the CloudWatch user guide says, with missing data as each alarm treats them."""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from dbz.cloud.cloudwatch.expressions import evaluate_series

EXTRA_PERIODS = 2
"""So many periods more than the alarm's are looked at, in case that some are missing: the *evaluation range*. The guide
names one example, 5 for an alarm of 3 periods."""
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
_log = logging.getLogger(__name__)


def state_of(points: Sequence[bool | None], periods: int, needed: int, missing: str, state: str) -> str:
    """The state of an alarm after an evaluation.

    `points` are those of the evaluation range, oldest first: breaching, not breaching, or None where none has come.
    `periods` and `needed` are N and M of `M out of N`, `missing` is how missing data are treated, `state` the state
    so far.

    * As many real points as the alarm has periods: the newest of them decide, and the treatment does not matter.
    * Fewer: all of them count, and missing ones are filled in by the treatment, as few as possible.
    * `missing` and `ignore` fill nothing in. Then one real point within the threshold means OK. When all of the few are
      breaching, `ignore` stays as it is; `missing` alarms if the oldest is at least M periods old (*premature alarm*),
      for a younger one the next point may be fine.
    """
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return "ALARM" if sum(real[-periods:]) >= needed else "OK"
    if missing in ("breaching", "notBreaching"):
        filled = periods - len(real) if missing == "breaching" else 0
        return "ALARM" if sum(real) + filled >= needed else "OK"
    if sum(real) >= needed:
        return "ALARM"
    if not all(real):
        return "OK"
    if missing == "ignore":
        return state
    oldest = next((len(points) - at for at, point in enumerate(points) if point), 0)
    return "ALARM" if oldest >= needed else "INSUFFICIENT_DATA"


def evaluate_alarm(cloudwatch: Any, alarm: Any, now_s: float) -> float | None:
    """Set the alarm's state by its newest datapoints; the newest value, or None when there is none."""
    try:
        points = datapoints(cloudwatch, alarm, now_s)
        compare = _COMPARE[alarm.comparison_operator]
    except (ValueError, KeyError) as error:  # an alarm of somebody else, about what this cloud does not know
        _log.warning("the alarm %s is not evaluated: %s", alarm.name, error)
        return None
    threshold = float(alarm.threshold)
    breaching = [None if point is None else compare(point, threshold) for point in points]
    periods = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or periods)
    state = state_of(breaching, periods, needed, alarm.treat_missing_data or "missing", alarm.state_value)
    if state != alarm.state_value:
        shown = ", ".join("missing" if point is None else f"{point:.4g}" for point in points)
        alarm.update_state(f"Threshold {alarm.threshold}: datapoints {shown}", "{}", state)
    return next((point for point in reversed(points) if point is not None), None)


def datapoints(cloudwatch: Any, alarm: Any, now_s: float) -> list[float | None]:
    """The alarm's datapoints of its evaluation range, which ends with the last complete period; oldest first."""
    queries = alarm.metric_data_queries
    period_s = float(alarm.period or _period_of(queries))
    end_s = now_s // period_s * period_s
    begins = [end_s - period_s * back for back in range(int(alarm.evaluation_periods) + EXTRA_PERIODS, 0, -1)]
    if not queries:
        dimensions = {(one.name, one.value) for one in alarm.dimensions}
        statistic = alarm.statistic or alarm.extended_statistic
        return _series(cloudwatch, (alarm.namespace, alarm.metric_name, dimensions, statistic), begins, period_s)
    return _expression(cloudwatch, queries, begins, period_s)


def _period_of(queries: Any) -> float:
    return max(float(one.metric_stat.period) for one in queries if one.metric_stat)


def _expression(cloudwatch: Any, queries: Any, begins: Sequence[float], period_s: float) -> list[float | None]:
    """What the query that returns data says: an expression over metrics and over other expressions, or one metric."""
    series: dict[str, list[float | None]] = {}
    for one in queries:
        if one.metric_stat:
            metric = one.metric_stat.metric
            dimensions = {(each.name, each.value) for each in metric.dimensions}
            key = (metric.namespace, metric.metric_name, dimensions, one.metric_stat.stat)
            series[one.id] = _series(cloudwatch, key, begins, period_s)
    for one in queries:
        if one.expression:
            series[one.id] = evaluate_series(one.expression, series, len(begins))
    returned = [one.id for one in queries if str(one.return_data).lower() != "false"]
    return series[returned[-1] if returned else queries[-1].id]


def _series(
    cloudwatch: Any, metric: tuple[str, str, set[Any], str], begins: Sequence[float], period_s: float
) -> list[float | None]:
    """One statistic of a metric in each of the periods; a datapoint that comes late is there from then on."""
    namespace, name, dimensions, statistic = metric
    values: dict[int, list[float]] = {}
    for one in cloudwatch.metric_data:
        if one.name != name or one.namespace != namespace:  # first: most data are of others, and there are many
            continue
        at = math.floor((_seconds(one.timestamp) - begins[0]) / period_s)
        if 0 <= at < len(begins) and {(each.name, each.value) for each in one.dimensions} == dimensions:
            values.setdefault(at, []).append(float(one.value))
    reduce = _reduction(statistic)
    return [reduce(values[at]) if at in values else None for at in range(len(begins))]


def _reduction(statistic: str) -> Callable[[list[float]], float]:
    if statistic in _STATISTICS:
        return _STATISTICS[statistic]
    if statistic.startswith("p"):
        share = float(statistic[1:]) / 100
        return lambda values: sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    raise KeyError(statistic)


def _seconds(timestamp: Any) -> float:
    """moto keeps UTC without saying so."""
    return float((timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp())
