"""Keys of the cache on a terminal: what was found, what was removed, how long they live, what one holds."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from dbz.cache.admin.entries import Lives, StoredEntry
from dbz.cache.admin.purge import Purge
from dbz.cache.admin.selection import SelectedKeys
from dbz.cache.admin.survey import percentiles
from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import counted, format_bytes, format_duration


def print_found(found: SelectedKeys, stream: TextIO | None = None) -> None:
    """Numbers by family, and a few of the keys."""
    console = make_console(stream or sys.stdout)
    if not found.keys:
        console.print("No key in Redis matches; processes would be told all the same.")
        return
    table = grid("<family", "keys")
    for name, count in found.families.most_common():
        table.add_row(cell(name), f"{count:,}")
    console.print(table)
    more = ", …" if found.keys > len(found.examples) else ""
    console.print(Text(f"{_keys(found.keys)}: {clean(', '.join(found.examples))}{more}", "dim"), soft_wrap=True)


def print_purge(done: Purge, stream: TextIO | None = None) -> None:
    """What was removed, and who heard of it."""
    console = make_console(stream or sys.stdout)
    verdict = ("Removed", "bold green") if done.complete else ("Not complete, removed", "bold red")
    processes = f"{done.listeners} server process{'' if done.listeners == 1 else 'es'} told"
    text = f" {_keys(done.removed)} in {format_duration(done.seconds)}"
    console.print(Text.assemble(verdict, text, f"; {processes}." if done.complete else "."))


def _keys(count: int) -> str:
    return f"{count:,} key{'' if count == 1 else 's'}"


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
    parts = [counted(len(lives.keys), "key") + ("" if lives.complete else " (and more)")]
    parts += [f"{name} {format_duration(value)}" for name, value in spread.items()]
    parts += [f"{lives.endless:,} never expire"] if lives.endless else []
    console.print(Text(", ".join(parts), "dim"), soft_wrap=True)
