"""Entries of the cache on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from dbz.cache.admin.entries import Lives, StoredEntry
from dbz.cache.admin.survey import percentiles
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import format_bytes, format_duration


def about_entry(entry: StoredEntry) -> str:
    """Life and size of an entry in a line."""
    life = "never expires" if entry.left_s is None else f"expires in {format_duration(entry.left_s)}"
    kind = "" if entry.kind == "string" else f"; a {entry.kind}, not a value of the cache"
    return f"{life}; {format_bytes(len(entry.value))}, {format_bytes(entry.memory_bytes)} of memory{kind}"


def print_lives(lives: Lives, most: int, stream: TextIO | None = None) -> None:
    """The keys that end first, and how the lives of all are spread."""
    console = make_console(stream or sys.stdout)
    table = grid("<key", "expires in")
    for key, left_s in lives.keys[:most]:
        table.add_row(cell(key), Text("never", "yellow") if left_s is None else format_duration(left_s))
    console.print(table)
    spread = percentiles([left_s for _, left_s in lives.keys if left_s is not None])
    parts = [f"{len(lives.keys):,} keys" + ("" if lives.complete else " (and more)")]
    parts += [f"{name} {format_duration(value)}" for name, value in spread.items()]
    parts += [f"{lives.endless:,} never expire"] if lives.endless else []
    console.print(Text(", ".join(parts), "dim"), soft_wrap=True)
