"""What people are told of an alert, in words."""

from __future__ import annotations

from datetime import datetime

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import AlertRule
from dbz.monitor.rules.alerts import AlertEvent, AlertStanding, AlertState
from dbz.monitor.store.store import Notice
from dbz.units import format_duration

STILL_FIRING = "still firing"


def rule_notice(rule: AlertRule, target: str, event: str, standing: AlertStanding, now_s: float) -> Notice:
    """A notice of a rule of the file."""
    condition = rule.resolve if event == AlertEvent.RESOLVED and rule.resolve else rule.when
    value = "unknown" if standing.value is None else condition.value_text(standing.value)
    name = rule.when.metric.value if rule.when.metric is Watched.CPU else rule.when.metric.value.lower()
    said = f"{rule.type} {event}: {name} of {target} {was_over(event, standing) or f'is {value}'}"
    about = f" (alert when {rule.when})" if event != AlertEvent.RESOLVED else ""
    lasted = f", for {format_duration(round(now_s - standing.since_s))}" if event == STILL_FIRING else ""
    return Notice(
        type=rule.type,
        target=target,
        severity=rule.severity,
        event=str(event),
        text=f"{said}{about}{lasted}",
        value=standing.value,
        threshold=rule.when.limit,
        since_s=standing.since_s,
        message="" if event == AlertEvent.RESOLVED else rule.message,
        runbook="" if event == AlertEvent.RESOLVED else rule.runbook,
    )


def outage_notice(
    type_: str, severity: str, target: str, event: str, standing: AlertStanding, why: str, now_s: float
) -> Notice:
    """A notice of an alert that needs no rule."""
    lasted = format_duration(round(max(now_s - standing.since_s, 0.0)))
    states = {
        ("TARGET_DOWN", True): f"{target} has given no good answer for {lasted}: {why}",
        ("TARGET_DOWN", False): f"{target} answers again",
        ("NO_DATA", True): f"{target} answers, and has told no figures for {lasted}: {why}",
        ("NO_DATA", False): f"{target} tells figures again",
    }
    over = was_over(event, standing)
    said = f"{target} {over}" if over else states[type_, event != AlertEvent.RESOLVED]
    return Notice(type_, target, severity, str(event), f"{type_} {event}: {said}", since_s=standing.since_s)


def was_over(event: str, standing: AlertStanding) -> str:
    """What is said of an end that was kept to the log until the alert was on again; empty for any other event."""
    if event != AlertEvent.RESOLVED or standing.state is not AlertState.FIRING:
        return ""
    return f"was well at {datetime.fromtimestamp(standing.ended_s):%H:%M:%S}, and is not any more"
