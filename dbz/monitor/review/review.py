"""The review of a range, out of the store and the file of the monitor."""

from __future__ import annotations

from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.review.advice import advice_on
from dbz.monitor.review.document import AlertSpan, Review
from dbz.monitor.review.findings import findings_of, rules_about
from dbz.monitor.review.summary import review_of
from dbz.monitor.store.firings import AlertFiring
from dbz.monitor.store.reading import Series
from dbz.monitor.store.rollups import rolled
from dbz.monitor.store.store import MonitorStore

_STEPS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_MOST_STEPS = 600
"""As many as a chart can show."""
_JUDGED_TOGETHER = 3
"""So many steps of a chart are one value of trends and changes."""


def step_of(range_s: float) -> int:
    """The step in seconds at which a range is drawn."""
    return next((step for step in _STEPS_S if range_s / step <= _MOST_STEPS), _STEPS_S[-1])


def review(store: MonitorStore, config: MonitorFile, begin_s: float, end_s: float) -> tuple[Review, dict[str, Series]]:
    """The review, and the series that it is about by target, in steps of `step_of` the range."""
    step_s = step_of(end_s - begin_s)
    every: dict[str, Series] = {}
    found = Review(begin_s, end_s, alerts=[_span(config, one) for one in store.firings(begin_s, end_s)])
    for name in store.targets():
        series = store.series(name, begin_s, end_s, step_s)
        if not series:
            continue
        every[name] = series
        target = review_of(name, series, begin_s, end_s)
        target.words = store.texts(name)
        coarse = {key: rolled(rollups, step_s * _JUDGED_TOGETHER) for key, rollups in series.items()}
        target.trends, target.changes = findings_of(coarse, rules_about(config, name), step_s * _JUDGED_TOGETHER, end_s)
        found.targets.append(target)
    found.advice = advice_on(found, config)
    return found, every


def _span(config: MonitorFile, firing: AlertFiring) -> AlertSpan:
    rule = rule_of(config, firing.type)
    severity = rule.severity if rule else BUILT_IN.get(firing.type, "warning")
    when = str(rule.when) if rule else ""
    return AlertSpan(firing.target, firing.type, severity, firing.begin_s, firing.end_s, firing.value, when)


def rule_of(config: MonitorFile, type_: str) -> AlertRule | None:
    """The rule of a type of alert; None for those that need none, or that the file has no more."""
    return next((rule for rule in config.alerts if rule.type == type_), None)
