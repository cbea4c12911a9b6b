"""The review of a monitor in words."""

from __future__ import annotations

from dbz.monitor.review.document import AlertSpan, ChangeFinding, Review, TargetReview, TrendFinding
from dbz.monitor.review.values import figure_name, figure_text, moment_text, until_text
from dbz.units import counted, format_duration, format_percent

_NEARLY_ALL = 0.95
"""Of a range: more than that is not worth a word."""


def headline(review: Review) -> str:
    """All of it in a sentence."""
    alerts, urgent = len(review.alerts), sum(one.priority == "high" for one in review.advice)
    on = sum(one.end_s is None for one in review.alerts)
    now = f", {on} still on" if on else ""
    todo = f"; {counted(urgent, 'thing')} to look at first" if urgent else ""
    return f"{counted(len(review.targets), 'target')}, {counted(alerts, 'alert')}{now}{todo}"


def range_text(review: Review) -> str:
    """From when to when, and of which time there are data where that is less."""
    length = format_duration(round(review.end_s - review.begin_s))
    text = f"{moment_text(review.begin_s)} to {moment_text(review.end_s)} ({length})"
    if review.data_begin_s is None or review.data_end_s is None:
        return text
    known_s = review.data_end_s + review.step_s - review.data_begin_s
    if known_s > _NEARLY_ALL * (review.end_s - review.begin_s):
        return text
    known = f"{moment_text(review.data_begin_s)} to {moment_text(review.data_end_s)}"
    return f"{text}; there are data of {format_duration(round(known_s))}, {known}"


def uptime_text(target: TargetReview) -> str:
    """How long a target was up, of the time that is known."""
    return "–" if target.uptime is None else format_percent(round(target.uptime, 5))


def unknown_text(target: TargetReview) -> str:
    """For how long nothing is known of a target."""
    return format_duration(round(target.without_data_s)) if target.without_data_s >= 1 else "none"


def trend_text(trend: TrendFinding) -> str:
    """Where a figure is going, with its interval."""
    if not trend.is_clear:
        return "steady, as far as can be told"
    by_day = _signed(trend.key, trend.per_hour * 24)
    low, high = (_signed(trend.key, each * 24) for each in (trend.low_per_hour, trend.high_per_hour))
    return f"{by_day} a day ({low} to {high})"


def limit_text(trend: TrendFinding) -> str:
    """When a trend reaches the limit of its rule."""
    if trend.limit is None:
        return "no rule"
    where = f"{figure_text(trend.key, trend.limit)} ({trend.rule})"
    if trend.days_to_limit is None:
        return f"not heading for {where}"
    return f"{where} {until_text(trend.days_to_limit, trend.days_low, trend.days_high)}"


def change_text(change: ChangeFinding) -> str:
    """A change of level."""
    before, after = (figure_text(change.key, value) for value in (change.before, change.after))
    return f"{figure_name(change.key)} went from {before} to {after} at {moment_text(change.at_s)}"


def span_text(span: AlertSpan) -> str:
    """When an alert was on."""
    if span.end_s is None:
        return f"since {moment_text(span.begin_s)}"
    return f"{moment_text(span.begin_s)}, for {format_duration(round(span.end_s - span.begin_s))}"


def _signed(key: str, value: float) -> str:
    return f"{'-' if value < 0 else '+'}{figure_text(key, abs(value))}"
