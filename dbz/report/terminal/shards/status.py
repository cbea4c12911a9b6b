"""Shards on a terminal: status, plan, what became of moves, findings."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.shards import move_text, plan_texts, status_texts, unchecked_text
from dbz.report.words.shards_progress import outcome_texts
from dbz.shards.copies.verify_places import Finding, Unchecked
from dbz.shards.move.progress import MoveStanding
from dbz.shards.move.rebalance import MoveOutcome
from dbz.shards.plan.document import MovePlan, PlannedMove
from dbz.shards.status import MoveStatus, Status
from dbz.units import counted, format_bytes, format_rate

_MOST_MOVES = 30
_MOST_FINDINGS = 20


def print_plan(plan: MovePlan, stream: TextIO | None = None) -> None:
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
        console.print(Text(clean(f"Note: {warning}."), "yellow"))


def _shards(plan: MovePlan) -> Table:
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


def print_status(found: Status, stream: TextIO | None = None) -> None:
    """Print the shards, the balance, and the moves."""
    console = make_console(stream or sys.stdout)
    table = grid("<shard", "clubs", "documents", "size", "operations", "slots", "copies kept")
    for shard in found.shards:
        table.add_row(
            cell(shard.name),
            f"{shard.clubs:,}",
            f"{shard.docs:,}",
            format_bytes(shard.bytes),
            "–" if shard.ops_per_s is None else format_rate(shard.ops_per_s),
            f"{shard.slots:,}",
            f"{shard.old_copies:,}",
        )
    console.print(table)
    console.print()
    if found.moves:
        console.print(_statuses(found.moves[-_MOST_MOVES:]))
        console.print()
    for text in status_texts(found):
        console.print(Text(clean(text)))
    for warning in found.warnings:
        console.print(Text(clean(f"Note: {warning}."), "yellow"))


def _statuses(moves: tuple[MoveStatus, ...]) -> Table:
    table = grid("<move", "<club", "<from", "<to", "<state", "size", "held", "<")
    for move in moves:
        table.add_row(
            cell(move.id),
            cell(move.club),
            cell(move.source),
            cell(move.target),
            cell(move.state, "red" if move.state == "aborted" else ""),
            format_bytes(move.bytes),
            "" if move.block_ms is None else f"{move.block_ms:.0f} ms",
            cell(move.reason),
        )
    return table


def print_outcome(outcome: MoveOutcome, now: MoveStanding, stream: TextIO | None = None) -> None:
    """Print what became of the moves."""
    console = make_console(stream or sys.stdout)
    for move in outcome.failed:
        console.print(Text(clean(move_text(move)), "red"))
    for text in outcome_texts(outcome, now):
        console.print(Text(clean(text)))


def print_findings(findings: list[Finding], documents: int, stream: TextIO | None = None) -> None:
    """Print what a verification found."""
    console = make_console(stream or sys.stdout)
    if not findings:
        console.print(Text(f"Nothing found: {counted(documents, 'document')} where they belong.", "green"))
        return
    _print_table(console, findings)
    console.print(Text(f"{counted(len(findings), 'finding')} in {counted(documents, 'document')}.", "bold red"))


def print_unchecked(unchecked: list[Unchecked], notes: list[str], stream: TextIO | None = None) -> None:
    """Print which copies could not be judged, and why; `notes` tell what was not looked at, and need not be."""
    console = make_console(stream or sys.stdout)
    for note in notes:
        console.print(Text(clean(f"Note: {note}."), "dim"))
    for one in unchecked:
        console.print(Text(clean(f"Not checked: {unchecked_text(one)}."), "yellow"))
    if unchecked:
        console.print(
            Text(
                f"Incomplete: {counted(len(unchecked), 'copy', 'copies')} could not be checked in full.", "bold yellow"
            )
        )


def print_strays(findings: list[Finding], unchecked: list[Unchecked], stream: TextIO | None = None) -> None:
    """Print the documents of old copies that nothing explains."""
    if findings:
        console = make_console(stream or sys.stdout)
        _print_table(console, findings)
        console.print(Text(f"{counted(len(findings), 'document')} written past the map.", "bold red"))
    print_unchecked(unchecked, [], stream)


def _print_table(console: Console, findings: list[Finding]) -> None:
    table = grid("<", "<collection", "<id", "<club", "<shard", "<")
    for one in findings[:_MOST_FINDINGS]:
        cells = (one.kind, one.collection, one.id, one.club, one.shard, one.detail)
        table.add_row(*(cell(text) for text in cells))
    console.print(table)
    if len(findings) > _MOST_FINDINGS:
        console.print(Text(f"… and {len(findings) - _MOST_FINDINGS:,} more; --json and --out have all", "dim"))
