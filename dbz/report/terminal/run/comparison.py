"""A comparison and a trend on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dbz.measure.budget.limits import format_value
from dbz.measure.compare.differences import Change
from dbz.report.sparkline import sparkline
from dbz.report.terminal.console import FANCY, clean, glyphs_for, indented, make_console
from dbz.report.terminal.run.tables import WIDE, cell, grid
from dbz.report.words.comparison import (
    by_verdict,
    change_text,
    comparison_headline,
    comparison_remarks,
    detectable_text,
    p_text,
    stat_text,
    suspect_advice,
    unit_of,
)
from dbz.runs.compare.document import Comparison
from dbz.runs.compare.trend import History, Trend

_STYLES = {"worse": "bold red", "better": "green", "same": "dim", "unclear": "yellow"}


def print_comparison(comparison: Comparison, stream: TextIO | None = None) -> None:
    """Print what became worse first, then every figure, to `stream` (stdout)."""
    console = make_console(stream or sys.stdout)
    glyphs = glyphs_for(console)
    sign, style = (glyphs.bad, "bold red") if comparison.findings else (glyphs.good, "bold green")
    if comparison.blind and not comparison.findings:
        sign, style = glyphs.bad, "bold yellow"
    console.print(Text(f"{sign} {comparison_headline(comparison)}", style))
    for text in comparison.findings:
        console.print(indented(Text(clean(text), "bold")))
    for text in suspect_advice(comparison):
        console.print(indented(Text(clean(text), "yellow")))
    console.print()
    if comparison.figures:
        console.print(comparison_table(comparison, console))
    for text in comparison_remarks(comparison):
        console.print(Text(clean(text), "dim"))


def comparison_table(comparison: Comparison, console: Console, *, changed_only: bool = False) -> Table:
    """Worse figures first, then better ones, then what is unclear, then (if wanted) what is the same.

    In a narrow one names have room instead of what the verdict says already.
    """
    wide = console.width >= WIDE
    table = grid("<", "<", "base", "new", "change", *(["95 % interval", "finds", "p"] if wide else []), "<")
    for one in by_verdict(comparison.figures):
        if changed_only and one.verdict is Change.SAME:
            continue
        style = _STYLES[one.verdict]
        interval = f"{one.low * 100:+.3g} to {one.high * 100:+.3g}"
        table.add_row(
            cell(f"{one.kind} {one.operation}"),
            Text(stat_text(one), "dim"),
            format_value(one.base, unit_of(one)),
            format_value(one.new, unit_of(one)),
            Text(change_text(one), style),
            *([interval, detectable_text(one), p_text(one)] if wide else []),
            Text(one.verdict.value, style),
        )
    return table


def print_trend(trend: Trend, stream: TextIO | None = None) -> None:
    """Print the figures that changed, with the run where they did, and then the others, to `stream` (stdout)."""
    console = make_console(stream or sys.stdout)
    moved = [one for one in trend.histories if one.steps]
    counted = f"{len(moved)} of {len(trend.histories)} figures moved to another level"
    title = f"{trend.profile}: {len(trend.runs)} runs, {counted}"
    console.print(Text(clean(title), "bold"))
    console.print()
    console.print(_trend_table([*moved, *(one for one in trend.histories if not one.steps)], console))
    if trend.skipped:
        console.print(Text(f"Not comparable with the newest, left out: {len(trend.skipped)} runs.", "dim"))


def _trend_table(histories: Sequence[History], console: Console) -> Table:
    drawn = console.width >= WIDE and glyphs_for(console) is FANCY
    table = grid("<", "<", *(["<over its runs"] if drawn else []), "now", "change", "<since run")
    for one in histories:
        known = [value for value in one.values if value is not None]
        last = one.steps[-1] if one.steps else None
        style = "" if last is None else "bold red" if last.change > 0 else "green"
        table.add_row(
            cell(f"{one.kind} {one.operation}"),
            Text(one.stat, "dim"),
            *([sparkline(one.values)] if drawn else []),
            format_value(last.after if last else known[-1] if known else 0.0, "ms"),
            Text(f"{last.change * 100:+.3g} %" if last else "", style),
            cell(last.run if last else ""),
        )
    return table
