"""Where each alert is, and how far from its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.rules.engine import AlertEngine
from dbz.monitor.rules.objectives import BurnAlert
from dbz.monitor.rules.silences import Silence
from dbz.monitor.rules.suppression import suppression_of
from dbz.report.terminal.alerts.stamp import stamp
from dbz.report.terminal.console import clean
from dbz.units import counted, format_days, format_duration, format_number, format_percent


def standing_rows(
    config: MonitorFile,
    standings: Mapping[tuple[str, str], AlertStanding],
    silences: Sequence[Silence],
    now_s: float,
) -> list[dict[str, Any]]:
    """Where each alert of the file is, as plain data."""
    alerts = AlertEngine(config, standings).alerts
    firing = [alert for alert in alerts if alert.firing]
    local = datetime.fromtimestamp(now_s).astimezone()
    rows = []
    for alert in alerts:
        row: dict[str, Any] = {"target": alert.target, "type": alert.type, "severity": alert.severity}
        row |= {"state": alert.standing.state.value, "since": stamp(alert.standing.since_s)}
        row |= {"told": bool(alert.standing.told_since_s), **_of_rule(alert, now_s)}
        quiet = alert.standing.state is AlertState.OK
        why = "" if quiet else suppression_of(alert, firing, config, silences, now_s, local)
        rows.append({**row, "kept_to_log": why} if why else row)
    return rows


def _of_rule(alert: Alert, now_s: float) -> dict[str, Any]:
    if isinstance(alert, BurnAlert):
        return _of_burn(alert)
    if alert.rule is None:
        return {}
    when, standing = alert.rule.when, alert.standing
    row: dict[str, Any] = {"when": str(when), "value": standing.value, "limit": when.limit}
    row["value_text"] = "not told" if standing.value is None else when.value_text(standing.value)
    if standing.value is not None and when.limit > 0:
        row["of_limit"] = round(standing.value / when.limit, 4)
    if standing.state is AlertState.PENDING and when.held_s == when.window_s:
        row["fires_in_s"] = round(max(when.held_s - (now_s - standing.since_s), 0.0), 1)
    return row


def _of_burn(alert: BurnAlert) -> dict[str, Any]:
    burn, level = alert.standing.value, alert.level
    windows = f"{format_days(level.long_s)} and {format_duration(level.short_s)}"
    row: dict[str, Any] = {"when": f"more than {format_number(level.factor)} times in {windows}", "value": burn}
    row |= {"limit": level.factor, "value_text": "too little to judge by"}
    if burn is not None:
        row |= {"value_text": f"used up {format_number(burn)} times as fast as it lasts"}
        row |= {"of_limit": round(burn / level.factor, 4)}
    return row


def standings_text(rows: Sequence[Mapping[str, Any]], waiting: int) -> str:
    """The same in lines."""
    lines = []
    for row in rows:
        since = f" since {row['since']}" if row["since"] else ""
        lines.append(clean(f"{row['target']}  {row['type']}: {row['state']}{since}{_about(row)}"))
    lines += [f"{counted(waiting, 'message')} not delivered yet: dbz monitor history"] if waiting else []
    return "\n".join(lines)


def _about(row: Mapping[str, Any]) -> str:
    about = f"  {row['value_text']}" if "when" in row else ""
    if "of_limit" in row:
        about += f", {format_percent(round(row['of_limit'], 3))} of the limit"
    if "fires_in_s" in row:
        about += f", fires in {format_duration(row['fires_in_s'])} if it stays so"
    if "when" in row:
        about += f" ({row['when']})"
    return f"{about}; kept to the log: {row['kept_to_log']}" if "kept_to_log" in row else about
