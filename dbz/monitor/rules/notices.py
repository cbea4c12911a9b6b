"""What people are told of an alert, in words, and to which channels it goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alerts import AlertEvent, AlertStanding, AlertState
from dbz.monitor.rules.routes import is_muted, route_of
from dbz.monitor.store.store import Notice, OutboxRow
from dbz.units import format_duration

STILL_FIRING = "still firing"


def rule_notice(rule: AlertRule, target: str, event: str, standing: AlertStanding, now_s: float) -> Notice:
    """A notice of a rule of the file."""
    condition = rule.resolve if event == AlertEvent.RESOLVED and rule.resolve else rule.when
    value = "unknown" if standing.value is None else condition.value_text(standing.value)
    name = rule.when.metric.value if rule.when.metric is Watched.CPU else rule.when.metric.value.lower()
    said = f"{rule.type} {event}: {name} of {target} is {value}"
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
    said = states[type_, event != AlertEvent.RESOLVED]
    return Notice(type_, target, severity, str(event), f"{type_} {event}: {said}", since_s=standing.since_s)


def to_outbox(
    config: MonitorFile, notice: Notice, standing: AlertStanding, now_s: float, local: datetime
) -> Iterator[OutboxRow]:
    """The messages that a notice becomes; none while it is muted, and of none whose beginning was muted."""
    resolved = notice.event == AlertEvent.RESOLVED
    if is_muted(config.mute, notice.severity, local) or (resolved and not standing.told_s):
        return
    which = "resolved" if resolved else "firing" if notice.event != STILL_FIRING else f"again-{int(now_s)}"
    for channel in route_of(config, notice.type, notice.severity, notice.target).to:
        if channel != LOG:
            key = f"{notice.target}-{notice.type}-{int(notice.since_s * 1000)}-{which}-{channel}"
            yield OutboxRow(key, channel, notice, now_s, now_s)
    standing.told_s = 0.0 if resolved else now_s


def is_due_again(
    config: MonitorFile, type_: str, severity: str, target: str, standing: AlertStanding, now_s: float, local: datetime
) -> bool:
    """Whether an alert that goes on must be told: again, or for the first time where it was muted."""
    if standing.state is not AlertState.FIRING or is_muted(config.mute, severity, local):
        return False
    route = route_of(config, type_, severity, target)
    return not standing.told_s or now_s - standing.told_s >= route.repeat
