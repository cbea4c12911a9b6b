"""The report of a monitor on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dbz.config.grammar.watched import Watched
from dbz.monitor.review.document import AlertSpan, Review, TargetReview
from dbz.monitor.review.values import MEMORY, figure_name, figure_text
from dbz.report.terminal.console import clean, indented, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.monitor import (
    change_text,
    headline,
    limit_text,
    range_text,
    span_text,
    trend_text,
    unknown_text,
    uptime_text,
)
from dbz.units import format_duration

_STYLES = {"high": "bold red", "medium": "yellow", "low": "dim"}
_SEVERITIES = {"critical": "bold red", "warning": "yellow"}
_MOST_ALERTS = 12


def print_review(review: Review, stream: TextIO | None = None) -> None:
    """Print what to do, the figures, alerts, trends and changes to `stream` (stdout)."""
    console = make_console(stream or sys.stdout)
    console.print(Text(clean(headline(review)), "bold"))
    console.print(Text(range_text(review), "dim"))
    for advice in review.advice:
        console.print()
        console.print(
            Text.assemble((f"{advice.priority:<6}", _STYLES[advice.priority]), f" {advice.target}: {advice.text}")
        )
        console.print(indented(indented(Text(clean(advice.evidence)))))
        console.print(indented(indented(Text(f"→ {advice.command}", "cyan"))))
    _section(console, "Figures", _figures(review.targets))
    for target in review.targets:
        if "trouble" in target.words:
            console.print(
                indented(Text(clean(f"{target.name} has no figures now: {target.words['trouble']}"), "yellow"))
            )
    if review.alerts:
        _section(console, "Alerts", _alerts(review.alerts))
    for target in review.targets:
        if target.trends or target.changes:
            _section(console, f"Trends of {clean(target.name)}", _trends(target))


def _section(console: Console, title: str, body: RenderableType) -> None:
    console.print()
    console.print(Text(title, "bold"))
    console.print(indented(body))


def _figures(targets: Sequence[TargetReview]) -> Table:
    table = grid("<target", "uptime", "mean", "peak", "errors", "memory", "no data")
    for target in targets:
        slow, errors, memory = (target.figure(key) for key in (Watched.RESPONSE_TIME, Watched.ERROR_RATE, MEMORY))
        peak = target.figure(Watched.PEAK_RESPONSE_TIME) or slow
        table.add_row(
            cell(target.name),
            uptime_text(target),
            figure_text(slow.key, slow.mean) if slow else "–",
            figure_text(peak.key, peak.peak) if peak else "–",
            figure_text(errors.key, errors.mean) if errors else "–",
            figure_text(memory.key, memory.mean) if memory else "–",
            unknown_text(target),
        )
    return table


def _alerts(alerts: Sequence[AlertSpan]) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in alerts[-_MOST_ALERTS:]:
        on = "red" if one.end_s is None else ""
        table.add_row(cell(one.target), cell(one.type, _SEVERITIES.get(one.severity, "")), Text(span_text(one), on))
    if len(alerts) > _MOST_ALERTS:
        table.add_row(Text(f"and {len(alerts) - _MOST_ALERTS} before", "dim"))
    return table


def _trends(target: TargetReview) -> Table:
    table = Table.grid(padding=(0, 2))
    for trend in target.trends:
        text = trend_text(trend)
        if trend.is_clear and trend.limit is not None:
            text += f"; {limit_text(trend)}"
        table.add_row(Text(figure_name(trend.key), "" if trend.is_clear else "dim"), Text(text))
    for change in target.changes:
        table.add_row(Text("new level", "cyan"), Text(change_text(change)))
    if not table.rows:
        table.add_row(Text(f"too short: {format_duration(round(target.covered_s))} of data", "dim"))
    return table
