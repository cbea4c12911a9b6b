"""Shards on a terminal: the plan."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.table import Table
from rich.text import Text

from dbz.report.shards_wording import plan_texts
from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.tables import cell, grid
from dbz.shards.plan import Plan, PlannedMove
from dbz.units import format_bytes

_MOST_MOVES = 30


def print_plan(plan: Plan, stream: TextIO | None = None) -> None:
    """Print the shards before and after, the moves, and what they bring."""
    console = make_console(stream or sys.stdout)
    console.print(_shards(plan))
    console.print()
    if plan.moves:
        console.print(_moves(plan.moves[:_MOST_MOVES]))
        if len(plan.moves) > _MOST_MOVES:
            console.print(Text(f"… and {len(plan.moves) - _MOST_MOVES:,} more; --json and --out have all", "dim"))
        console.print()
    for text in plan_texts(plan):
        console.print(Text(clean(text)))
    for warning in plan.warnings:
        console.print(Text(clean(f"Note: {warning}"), "yellow"))


def _shards(plan: Plan) -> Table:
    table = grid("<shard", "clubs", "documents", "size", "<", "clubs after", "documents", "size")
    for load in plan.loads:
        table.add_row(
            cell(load.shard),
            f"{load.clubs:,}",
            f"{load.docs:,}",
            format_bytes(load.bytes),
            "→",
            f"{load.clubs_after:,}",
            f"{load.docs_after:,}",
            format_bytes(load.bytes_after),
        )
    return table


def _moves(moves: tuple[PlannedMove, ...]) -> Table:
    table = grid("<club", "<from", "<to", "documents", "size")
    for move in moves:
        table.add_row(cell(move.club), cell(move.source), cell(move.target), f"{move.docs:,}", format_bytes(move.bytes))
    return table
