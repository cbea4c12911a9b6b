"""What a monitor file means: every alert, and where it goes."""

from __future__ import annotations

from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.rules.objectives import BurnAlert
from dbz.monitor.rules.routes import route_of
from dbz.report.terminal.monitor import routes_text
from dbz.units import format_days, format_duration, format_number


def rules_text(config: MonitorFile) -> str:
    """Every alert: when it begins, and where it goes."""
    lines = [routes_text(config), ""]
    for alert in AlertEngine(config, {}).alerts:
        when = f"  {alert.rule.when}" if alert.rule is not None else _burn(alert)
        lines.append(f"{alert.target}  {alert.type} [{alert.severity}]{when}  → {_to(config, alert)}")
    for inhibition in config.inhibit:
        same = f" of the same {', '.join(inhibition.equal)}" if inhibition.equal else ""
        lines.append(f"({inhibition.target}) is kept to the log while ({inhibition.source}){same} is on")
    return "\n".join(lines)


def _burn(alert: Alert) -> str:
    if not isinstance(alert, BurnAlert):
        return ""
    level, period = alert.level, format_days(alert.objective.entry.period)
    windows = f"{format_days(level.long_s)} and {format_duration(level.short_s)}"
    return f"  {alert.objective} in {period}, used up {format_number(level.factor)} times as fast in {windows}"


def _to(config: MonitorFile, alert: Alert) -> str:
    route = route_of(config, alert.keys)
    to = ", ".join(dict.fromkeys([LOG, *route.to]))
    if route.group_by is None:
        return to
    wait_s, _ = route.waits_s()
    by = ", ".join(route.group_by) or "its route"
    return f"{to} (together with others of {by}, after {format_duration(wait_s)})"
