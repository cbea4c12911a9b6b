"""Keys of the cache on a terminal: what was found, what was removed."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from dbz.cache.admin.purge import Purge
from dbz.cache.admin.selection import SelectedKeys
from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import format_duration


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
