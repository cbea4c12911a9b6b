"""What `dbz scale size` shows."""

from __future__ import annotations

import sys

from rich.text import Text

from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.scaling.size.sizing import MeasuredTask, PhaseSize, SizeVerdict
from dbz.units import format_number, format_percent


def print_sizes(measured: MeasuredTask, sizes: list[PhaseSize], headroom: float) -> None:
    """What a task carries, and the tasks that each phase needs; `headroom` is a share of one."""
    console = make_console(sys.stdout)
    styles = {SizeVerdict.ENOUGH: "green", SizeVerdict.TOO_SMALL: "bold red", SizeVerdict.WASTEFUL: "yellow"}
    styles |= {SizeVerdict.NOT_MEASURED: "yellow"}
    table = grid("<phase", "planned", "needed", "<by", "<verdict", "<")
    for one in sizes:
        table.add_row(
            cell(one.phase),
            planned_text(one),
            needed_text(one),
            cell(one.by),
            Text(one.verdict.value, styles.get(one.verdict, ""), no_wrap=True),
            cell(one.advice),
        )
    console.print(Text(clean(per_task_text(measured))))
    console.print(Text(f"Needed with {format_percent(headroom)} headroom; tasks are assumed to add up.", "dim"))
    console.print()
    console.print(table)


def planned_text(size: PhaseSize) -> str:
    """`4`, `2-10`, or a dash."""
    planned = size.planned
    return "–" if planned is None else str(planned.min) if planned.fixed else f"{planned.min}-{planned.max}"


def needed_text(size: PhaseSize) -> str:
    """`4`, `3-4` where the measurement leaves it open, `at most 4` where the limit was not reached."""
    if size.at_best is None:
        return f"at most {size.tasks}" if size.tasks > 1 else "1"
    return str(size.tasks) if size.at_best == size.tasks else f"{size.at_best}-{size.tasks}"


def per_task_text(measured: MeasuredTask) -> str:
    """What one task carries, and how that is known."""
    units = {"users": "users", "connections": "connections", "requests": "requests/s"}
    parts = ", ".join(f"{format_number(value)} {units[name]}" for name, value in measured.per_task().items())
    least = "at least " if measured.bracket is None else ""
    of = f", measured with {measured.servers} of them" if measured.servers > 1 else ""
    return f"One task carries {least}{parts} ({measured.source}{of})."
