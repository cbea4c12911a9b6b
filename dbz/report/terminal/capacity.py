"""The report of a capacity search on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dbz.report.terminal.console import clean, framed, glyphs_for, indented, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.capacity import (
    ANSWERS,
    BADGES,
    about_text,
    broken_texts,
    capacity_text,
    fit_text,
    headroom_text,
    interval_text,
    ratio_text,
    used_text,
)
from dbz.runs.capacity import Capacity, StepOutcome
from dbz.units import format_duration, format_rate

_STYLES = {StepOutcome.FOUND: "green", StepOutcome.AT_LEAST: "green", StepOutcome.NOTHING_HOLDS: "red"}
_ANSWER_STYLES = {"holds": "green", "breaks": "bold red"}


def print_capacity_verdict(found: Capacity, stream: TextIO | None = None) -> None:
    """Print what was found alone to `stream` (stdout), on one line."""
    (stream or sys.stdout).write(f"{BADGES[found.outcome]}  {clean(found.statement)}\n")


def print_capacity(found: Capacity, page: Path, stream: TextIO | None = None) -> None:
    """Print what was found, what broke first, the phases, the law and the steps; `page` is the HTML page."""
    console = make_console(stream or sys.stdout)
    console.print(_head(found, console))
    broken = broken_texts(found)
    if broken:
        _section(console, "First to break", _list(broken, glyphs_for(console).bad, "red"))
    if found.notes:
        _section(console, "Notes", _list(found.notes, glyphs_for(console).unsure, "yellow"))
    if found.phases:
        _section(console, "Phases of the plan", _phases(found))
    if found.scalability:
        highest = max(step.load for step in found.steps)
        text = Text(clean(fit_text(found.scalability, highest)))
        _section(console, "Universal Scalability Law", text)
    if found.steps:
        _section(console, "Steps", _steps(found))
    console.print()
    console.print(Text.assemble(("Report  ", "bold"), str(page)), soft_wrap=True)


def _head(found: Capacity, console: Console) -> Panel:
    style = _STYLES.get(found.outcome, "yellow")
    text = Text.assemble(
        (f" {BADGES[found.outcome]} ", f"badge {style}"),
        ("  " + clean(found.statement), "bold"),
    )
    if found.capacity:
        text.append("\n" + clean(capacity_text(found)))
    if found.between:
        text.append("\n" + clean(interval_text(found)))
    text.append("\n" + clean(about_text(found)), "dim")
    return framed(text, style, console)


def _section(console: Console, title: str, body: RenderableType) -> None:
    console.print()
    console.print(Text(title, "bold"))
    console.print(indented(body))


def _list(texts: list[str], sign: str, style: str) -> RenderableType:
    rows = Table.grid(padding=(0, 1))
    for text in texts:
        rows.add_row(Text(sign, style), Text(clean(text)))
    return rows


def _phases(found: Capacity) -> Table:
    table = grid("<phase", "users", "connections", "requests", "<")
    for row in found.phases:
        style = "" if row.lowest is None else "green" if row.lowest >= 1 else "yellow"
        ratios = (ratio_text(ratio) for ratio in (row.users, row.connections, row.requests))
        table.add_row(cell(row.phase), *ratios, cell(headroom_text(found, row), style))
    return table


def _steps(found: Capacity) -> Table:
    table = grid("load", "judged", "<answer", "attempts", "HTTP", "<nearest to its limit")
    for step in sorted(found.steps, key=lambda one: (one.load, one.repeated)):
        table.add_row(
            f"{step.load:,}",
            format_duration(step.judged_s),
            Text(ANSWERS[step.answer], _ANSWER_STYLES.get(step.answer, "yellow")),
            format_rate(step.attempts_per_s),
            format_rate(step.requests_per_s),
            cell(used_text(step)),
        )
    return table
