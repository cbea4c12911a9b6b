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
    """The review, and the series that it is about by target, in its steps."""
    found = Review(begin_s, end_s, alerts=[_span(config, one) for one in store.firings(begin_s, end_s)])
    every = _series(store, found)
    coarse_s = found.step_s * _JUDGED_TOGETHER
    for name, series in every.items():
        target = review_of(name, series, begin_s, end_s)
        target.words = store.texts(name)
        coarse = {key: rolled(rollups, coarse_s) for key, rollups in series.items()}
        target.trends, target.changes = findings_of(coarse, rules_about(config, name), coarse_s, end_s)
        found.targets.append(target)
    found.advice = advice_on(found, config)
    return found, every


def _series(store: MonitorStore, about: Review) -> dict[str, Series]:
    """The series by target, in steps that suit the time of which there are data: a day of a monitor that was begun an
    hour ago is an hour."""
    about.step_s = step_of(about.end_s - about.begin_s)
    every = _read(store, about)
    rows = [rollups for series in every.values() for rollups in series.values()]
    if not rows:
        return every
    first_s, last_s = min(one[0].t for one in rows), max(one[-1].t for one in rows) + about.step_s
    finer_s = step_of(min(last_s, about.end_s) - max(first_s, about.begin_s))
    if finer_s < about.step_s:
        about.step_s = finer_s
        every = _read(store, about)
        rows = [rollups for series in every.values() for rollups in series.values()]
    about.data_begin_s, about.data_end_s = min(one[0].t for one in rows), max(one[-1].t for one in rows)
    return every


def _read(store: MonitorStore, about: Review) -> dict[str, Series]:
    every = {name: store.series(name, about.begin_s, about.end_s, about.step_s) for name in store.targets()}
    return {name: series for name, series in every.items() if series}


def _span(config: MonitorFile, firing: AlertFiring) -> AlertSpan:
    rule = rule_of(config, firing.type)
    severity = rule.severity if rule else BUILT_IN.get(firing.type, "warning")
    when = str(rule.when) if rule else ""
    return AlertSpan(firing.target, firing.type, severity, firing.begin_s, firing.end_s, firing.value, when)


def rule_of(config: MonitorFile, type_: str) -> AlertRule | None:
    """The rule of a type of alert; None for those that need none, or that the file has no more."""
    return next((rule for rule in config.alerts if rule.type == type_), None)
