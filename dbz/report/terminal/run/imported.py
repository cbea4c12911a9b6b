"""The verdict over files of other tools, and the catalogue of metrics, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from dbz.measure.budget.metrics import CATALOGUE
from dbz.report.terminal.console import clean, glyphs_for, make_console
from dbz.report.terminal.run.tables import WIDE, budgets_table, cell, grid, remarks, unmeasured
from dbz.report.words.verdict import BADGES, headline
from dbz.runs.schema import Run, RunVerdict

_STYLES = {RunVerdict.PASS: "green", RunVerdict.FAIL: "red"}


def print_imported(run: Run, notes: Sequence[str], out: Path | None, stream: TextIO | None = None) -> None:
    """Print the verdict, why, and every budget that was measured, to `stream` (stdout)."""
    console = make_console(stream or sys.stdout)
    style, glyphs = _STYLES.get(run.verdict, "yellow"), glyphs_for(console)
    sign = glyphs.good if run.verdict is RunVerdict.PASS else glyphs.bad
    console.print(Text.assemble((f" {sign} {BADGES[run.verdict]} ", f"badge {style}"), ("  " + headline(run), "bold")))
    console.print(Text(clean(f"{run.profile['name']}: {run.target}"), "dim"))
    for reason in run.reasons:
        console.print(Text.assemble((f"{glyphs.bad} ", style), clean(reason)))
    _print_budgets(run, console)
    for note in notes:
        console.print(Text(clean(note), "dim"))
    if out is not None:
        console.print(Text.assemble(("Written ", "bold"), str(out)), soft_wrap=True)


def _print_budgets(run: Run, console: Console) -> None:
    console.print()
    for part in (budgets_table(run.budgets, console), remarks(run.budgets, console), unmeasured(run.budgets)):
        if part:
            console.print(part)


def print_metrics(stream: TextIO | None = None) -> None:
    """Print the catalogue of metrics to `stream` (stdout)."""
    console = make_console(stream or sys.stdout)
    wide = console.width >= WIDE
    table = grid("<metric", "<label", "<statistics", *(["<"] if wide else []))
    for one in CATALOGUE.values():
        about = [cell(one.about, "dim")] if wide else []
        table.add_row(Text(one.name, "bold"), one.label, Text(", ".join(one.stats)), *about)
    console.print(table)
