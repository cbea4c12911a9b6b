"""What a monitor sees and does, in lines for a terminal or a log."""

from __future__ import annotations

from datetime import datetime

from dbz.config.grammar.watched import Watched, value_text
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.kinds import TELLS, WatchedKind
from dbz.monitor.sources.reading import NO_PATH, SourceReading
from dbz.monitor.store.store import Notice
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
        kept = f" ({said.note})" if said.note else ""
        return clean(f"{clock}  {notice_text(said.notice)}{kept}")
    return clean(f"{clock}  note: {said.note}")


def reading_text(reading: SourceReading) -> str:
    """How a service was, in one line."""
    parts = ["up" if reading.up else f"DOWN ({reading.health})"]
    if reading.up is None:
        parts = ["no health path" if reading.health in ("", NO_PATH) else reading.health]
    if not reading.speaks and Watched.PROBE_TIME in reading.figures:
        parts.append(f"in {format_ms(reading.figures[Watched.PROBE_TIME])}")
    memory_bytes = reading.details.get("memory_bytes")
    if isinstance(memory_bytes, int | float):
        share = reading.figures.get(Watched.MEMORY)
        of = f" ({format_percent(round(share, 3))})" if share is not None else ""
        parts.append(f"memory {format_bytes(memory_bytes)}{of}")
    parts += [form(round(reading.figures[of], 4)) for of, form in _FORMS.items() if of in reading.figures]
    parts += [f"{of.value} {value_text(of, reading.figures[of])}" for of in _OTHERS if of in reading.figures]
    if reading.trouble and reading.trouble not in reading.health:
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
