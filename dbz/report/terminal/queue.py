"""The queue between services on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.queue import next_steps
from dbz.server.events.admin import QueueStatus
from dbz.units import format_duration


def print_status(status: QueueStatus, broken: list[str], stream: TextIO | None = None) -> None:
    """Lengths, consumers, dead letters, and what to do next."""
    console = make_console(stream or sys.stdout)
    table = grid("<queue", "waiting", "under way", "scheduled", "oldest", "dead")
    oldest = "–" if status.oldest_s is None else format_duration(status.oldest_s)
    dead = Text(f"{status.dead:,}", "bold red" if status.dead else "")
    lengths = (f"{count:,}" for count in (status.waiting, status.under_way, status.scheduled))
    table.add_row(status.where, *lengths, oldest, dead)
    console.print(table)
    _consumers(console, status)
    _letters(console, status)
    for text in broken:
        console.print(Text.assemble(("broken: ", "bold red"), clean(text)), soft_wrap=True)
    for step in next_steps(status):
        console.print(Text(f"→ {clean(step)}", "dim"), soft_wrap=True)


def _consumers(console: Console, status: QueueStatus) -> None:
    if not status.consumers:
        return
    console.print()
    table = grid("<consumer", "has taken", "asked")
    for consumer in status.consumers:
        table.add_row(cell(consumer.name), f"{consumer.pending:,}", f"{format_duration(consumer.idle_s)} ago")
    console.print(table)


def _letters(console: Console, status: QueueStatus) -> None:
    if not status.letters:
        return
    console.print()
    table = grid("<dead letter", "<job", "<what", "age", "<reason")
    for letter in status.letters:
        age = "–" if letter.age_s is None else format_duration(letter.age_s)
        table.add_row(cell(letter.id), cell(letter.job_id or "–"), cell(letter.what), age, cell(letter.reason))
    console.print(table)
    if status.dead > len(status.letters):
        console.print(Text(f"and {status.dead - len(status.letters):,} older ones", "dim"))
