"""Trends and changes of the figures of one target, and how far a trend is from the rule that judges it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.measure.trends.daily import changes_beside_days
from dbz.measure.trends.trend import trend_of
from dbz.monitor.review.document import ChangeFinding, TrendFinding
from dbz.monitor.review.values import MEMORY
from dbz.monitor.store.reading import Series

TRENDS = (Watched.RESPONSE_TIME, MEMORY, Watched.ERROR_RATE)
"""Figures of which the report tells where they are going."""
CHANGES = (*TRENDS, Watched.CPU, Watched.P95_RESPONSE_TIME, Watched.QUERY_TIME)
"""Figures of which it tells when their level changed."""
_WORTH_A_WORD = 0.05
"""A change by less of the level is none that anybody would do something about."""
_SURE = 0.01
"""A report has dozens of trends: one of twenty would look clear by chance alone."""
_HOUR_S = 3600.0


def rules_about(config: MonitorFile, name: str) -> list[AlertRule]:
    """The rules about something by its name; none where the file does not watch it any more."""
    return next((config.rules_of(thing) for thing in config.watched if thing.name == name), [])


def findings_of(
    series: Series, rules: Sequence[AlertRule], step_s: int, end_s: float
) -> tuple[list[TrendFinding], list[ChangeFinding]]:
    """What became of each figure; `series` are roll-ups of `step_s`, at most a few hundred a figure."""
    trends, changes = [], []
    for key in CHANGES:
        rollups = series.get(key, [])
        times = [one.t for one in rollups]
        beside_days = changes_beside_days(times, [one.mean for one in rollups], step_s)
        found = [
            ChangeFinding(key, times[one.index], one.before, one.after)
            for one in beside_days.changes
            if abs(one.after - one.before) >= _WORTH_A_WORD * max(abs(one.before), abs(one.after))
        ]
        changes += found
        if key in TRENDS and rollups:
            begin = times.index(int(found[-1].at_s)) if found else 0
            trend = _trend(key, times[begin:], beside_days.values[begin:], end_s)
            trends += [_with_limit(trend, rules, series)] if trend else []
    return trends, sorted(changes, key=lambda one: one.at_s)


def _trend(key: str, times: Sequence[int], values: Sequence[float], end_s: float) -> TrendFinding | None:
    found = trend_of([(t - end_s) / _HOUR_S for t in times], values)
    if found is None:
        return None
    moved = abs(found.slope) * (times[-1] - times[0]) / _HOUR_S
    return TrendFinding(
        key=key,
        since_s=times[0],
        per_hour=found.slope,
        low_per_hour=found.low,
        high_per_hour=found.high,
        p=found.p,
        level=found.at_zero,
        is_clear=found.p < _SURE and moved >= _WORTH_A_WORD * abs(median(values)),
    )


def _with_limit(trend: TrendFinding, rules: Sequence[AlertRule], series: Series) -> TrendFinding:
    """With the limit of the first rule that judges the figure from above, and the days until the line is there."""
    judged = Watched.MEMORY if trend.key == MEMORY else trend.key
    rule = next((one for one in rules if one.when.metric == judged and one.when.op.startswith(">")), None)
    limit = None if rule is None else rule.when.limit * (whole_memory(series) if trend.key == MEMORY else 1.0)
    if rule is None or not limit:
        return trend
    trend = replace(trend, limit=limit, rule=rule.type)
    if not trend.is_clear or trend.per_hour <= 0:
        return trend
    return replace(
        trend,
        days_to_limit=_days(limit - trend.level, trend.per_hour),
        days_low=_days(limit - trend.level, trend.high_per_hour),
        days_high=_days(limit - trend.level, trend.low_per_hour),
    )


def _days(distance: float, per_hour: float) -> float | None:
    return None if per_hour <= 0 else max(distance / per_hour / 24, 0.0)


def whole_memory(series: Series) -> float:
    """What memory is a share of, in bytes; 0 where that is not known."""
    share, used = series.get(Watched.MEMORY), series.get(MEMORY)
    return used[-1].last / share[-1].last if share and used and share[-1].last else 0.0
