"""What a monitor sees and does, in lines for a terminal or a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dbz.config.grammar.watched import Watched, value_text
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.kinds import TELLS, WatchedKind
from dbz.monitor.rules.alerts import AlertStanding
from dbz.monitor.rules.backtest import RuleOutcome
from dbz.monitor.rules.routes import route_of
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.store.store import Notice, OutboxRow
from dbz.monitor.watch import Said
from dbz.report.terminal.console import clean
from dbz.units import counted, format_bytes, format_duration, format_ms, format_percent, format_rate

_FORMS = {
    Watched.CPU: lambda value: f"CPU {format_percent(value)}",
    Watched.CONNECTIONS: lambda value: counted(round(value), "connection"),
    Watched.RESPONSE_TIME: lambda value: f"mean {format_ms(value)}",
    Watched.P95_RESPONSE_TIME: lambda value: f"p95 {format_ms(value)}",
    Watched.ERROR_RATE: lambda value: f"errors {format_percent(value)}",
    Watched.REQUESTS: format_rate,
}

_OTHERS = [watched for watched in Watched if watched not in TELLS[WatchedKind.TARGET]]
"""What stores, queues and their like tell beside that, in words of their own."""


def line_of(said: Said) -> str:
    """One line of the log."""
    clock = f"{datetime.fromtimestamp(said.at_s):%H:%M:%S}"
    if said.reading is not None:
        return clean(f"{clock}  {said.target:<10} {reading_text(said.reading)}")
    if said.notice is not None:
        return clean(f"{clock}  {notice_text(said.notice)}")
    return clean(f"{clock}  note: {said.note}")


def reading_text(reading: SourceReading) -> str:
    """How a service was, in one line."""
    parts = ["no health path" if reading.up is None else "up" if reading.up else f"DOWN ({reading.health})"]
    memory_bytes = reading.details.get("memory_bytes")
    if isinstance(memory_bytes, int | float):
        share = reading.figures.get(Watched.MEMORY)
        of = f" ({format_percent(round(share, 3))})" if share is not None else ""
        parts.append(f"memory {format_bytes(memory_bytes)}{of}")
    parts += [form(round(reading.figures[of], 4)) for of, form in _FORMS.items() if of in reading.figures]
    parts += [f"{of.value} {value_text(of, reading.figures[of])}" for of in _OTHERS if of in reading.figures]
    if reading.trouble and reading.trouble != reading.health:
        parts.append(f"no figures: {reading.trouble}")
    return ", ".join(parts)


def notice_text(notice: Notice) -> str:
    """A notice in one line, marked so that it is found in a log."""
    more = [notice.message, f"runbook: {notice.runbook}" if notice.runbook else ""]
    return "; ".join(part for part in (f"ALERT [{notice.severity}] {notice.text}", *more) if part)


def routes_text(config: MonitorFile) -> str:
    """What is watched, and where alerts go, in two lines."""
    targets = ", ".join(f"{thing.name} ({thing.place})" for thing in config.watched)
    channels = ", ".join(config.channels) or "the log only"
    count = counted(len(config.alerts), "rule")
    return f"watching {targets} every {format_duration(config.interval)}\n{count}, alerts go to {channels}"


def rules_text(config: MonitorFile) -> str:
    """Every alert: when it begins, and where it goes."""
    lines = [routes_text(config), ""]
    for thing in config.watched:
        for rule in config.rules_of(thing):
            to = _to(config, rule.type, rule.severity, thing.name)
            lines.append(f"{thing.name}  {rule.type} [{rule.severity}]  {rule.when}  → {to}")
        for type_, severity in BUILT_IN.items():
            lines.append(f"{thing.name}  {type_} [{severity}]  → {_to(config, type_, severity, thing.name)}")
    return "\n".join(lines)


def _to(config: MonitorFile, type_: str, severity: str, target: str) -> str:
    return ", ".join(dict.fromkeys([LOG, *route_of(config, type_, severity, target).to]))


def standing_rows(config: MonitorFile, standings: Mapping[tuple[str, str], AlertStanding]) -> list[dict[str, Any]]:
    """Where each alert of the file is, as plain data."""
    rows = []
    for thing in config.watched:
        rules: dict[str, AlertRule | None] = {rule.type: rule for rule in config.rules_of(thing)}
        for type_, rule in {**rules, **dict.fromkeys(BUILT_IN)}.items():
            standing = standings.get((thing.name, type_), AlertStanding())
            row: dict[str, Any] = {"target": thing.name, "type": type_, "state": standing.state.value}
            row["since"] = _stamp(standing.since_s)
            if rule is not None:
                row |= {"when": str(rule.when), "value": standing.value, "limit": rule.when.limit}
                row["value_text"] = "not told" if standing.value is None else rule.when.value_text(standing.value)
            rows.append(row)
    return rows


def standings_text(rows: Sequence[Mapping[str, Any]], waiting: int) -> str:
    """The same in lines."""
    lines = []
    for row in rows:
        about = f"  {row['value_text']} ({row['when']})" if "when" in row else ""
        since = f" since {row['since']}" if row["since"] else ""
        lines.append(f"{row['target']}  {row['type']}: {row['state']}{since}{about}")
    lines += [f"{counted(waiting, 'message')} not delivered yet: dbz monitor history"] if waiting else []
    return "\n".join(lines)


def backtest_rows(outcomes: Sequence[RuleOutcome]) -> list[dict[str, Any]]:
    """What would have become of each rule, as plain data; times are in seconds since the start of the run."""
    return [
        {
            "type": one.rule.type,
            "when": str(one.rule.when),
            "judged": bool(one.readings),
            "worst": one.worst,
            "firings": [{"begin_s": firing.begin_s, "end_s": firing.end_s} for firing in one.firings],
        }
        for one in outcomes
    ]


def backtest_text(run_id: str, length_s: float, period_s: float, outcomes: Sequence[RuleOutcome]) -> str:
    """The same in lines."""
    lines = [f"{run_id}: {format_duration(round(length_s))}, read every {format_duration(period_s)}"]
    for one in outcomes:
        said = f"{one.rule.type} ({one.rule.when}): "
        if one.worst is None:
            lines.append(f"{said}not judged, the run does not tell its {one.rule.when.metric.value}")
            continue
        worst = f"its worst value is {one.rule.when.value_text(one.worst)}"
        if not one.firings:
            lines.append(f"{said}would not have fired; {worst}")
            continue
        times = [
            f"after {format_duration(round(firing.begin_s))}"
            + (f" for {format_duration(round(firing.end_s - firing.begin_s))}" if firing.end_s else " until the end")
            for firing in one.firings
        ]
        lines.append(f"{said}FIRES {', '.join(times)}; {worst}")
    return "\n".join(lines)


def history_text(rows: Sequence[OutboxRow]) -> str:
    """Messages, the newest first: when, to whom, what, and what became of it."""
    if not rows:
        return "nothing was sent yet"
    lines = []
    for row in rows:
        tries = f" after {counted(row.tries, 'try', 'tries')}" if row.tries > 1 else ""
        became = f"taken{tries} ({row.answer})" if row.sent_s is not None else "waiting"
        if row.sent_s is None and row.tries:
            became = f"waiting, {counted(row.tries, 'try', 'tries')} failed ({row.answer})"
        lines.append(clean(f"{_stamp(row.created_s)}  {row.channel}  {row.notice.text}: {became}"))
    return "\n".join(lines)


def _stamp(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s):%Y-%m-%d %H:%M:%S}" if at_s else ""
