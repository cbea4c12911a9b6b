"""What `dbz scale size` shows."""

from __future__ import annotations

import sys

from rich.text import Text

from dbz.config.phases.plan import ApiServers
from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.scaling.size.apart import ServiceSize, busiest
from dbz.scaling.size.sizing import MeasuredTask, PhaseSize, SizeVerdict
from dbz.units import format_number, format_percent

_STYLES = {
    SizeVerdict.ENOUGH: "green",
    SizeVerdict.TOO_SMALL: "bold red",
    SizeVerdict.WASTEFUL: "yellow",
    SizeVerdict.NOT_MEASURED: "yellow",
}
_UNITS = {"users": "users", "connections": "connections", "requests": "requests/s"}


def print_sizes(measured: MeasuredTask, sizes: list[PhaseSize], headroom: float) -> None:
    """What a task carries, and the tasks that each phase needs; `headroom` is a share of one."""
    console = make_console(sys.stdout)
    table = grid("<phase", "planned", "needed", "<by", "<verdict", "<")
    for one in sizes:
        table.add_row(
            cell(one.phase),
            planned_text(one.planned),
            needed_text(one.tasks, one.at_best),
            cell(one.by),
            Text(one.verdict.value, _STYLES.get(one.verdict, ""), no_wrap=True),
            cell(one.advice),
        )
    console.print(Text(clean(per_task_text(measured))))
    console.print(Text(f"Needed with {format_percent(headroom)} headroom; tasks are assumed to add up.", "dim"))
    console.print()
    console.print(table)


def print_service_sizes(measured: MeasuredTask, sizes: list[ServiceSize], headroom: float) -> None:
    """What services apart carried, and the tasks that each of them needs in each phase."""
    console = make_console(sys.stdout)
    table = grid("<phase", "<service", "<priority", "planned", "needed", "<verdict", "<")
    before = ""
    for one in sizes:
        table.add_row(
            cell(one.phase if one.phase != before else ""),
            cell(one.service),
            cell(one.priority),
            planned_text(one.planned),
            "–" if one.tasks is None else needed_text(one.tasks, one.at_best),
            Text(one.verdict.value, _STYLES.get(one.verdict, ""), no_wrap=True),
            cell(one.advice),
        )
        before = one.phase
    console.print(Text(clean(carried_text(measured))))
    console.print(Text(clean(f"Needed with {format_percent(headroom)} headroom; {_rule(measured)}"), "dim"))
    console.print()
    console.print(table)


def carried_text(measured: MeasuredTask) -> str:
    """What all services carried together, and with how many tasks of each."""
    parts = ", ".join(f"{format_number(value)} {_UNITS[name]}" for name, value in measured.whole.items())
    least = "at least " if measured.bracket is None else ""
    tasks = ", ".join(f"{one.tasks} {one.name}" for one in measured.services)
    return f"{tasks} carry {least}{parts} together ({measured.source})."


def _rule(measured: MeasuredTask) -> str:
    top = busiest(measured.services)
    if top is None:
        return "the CPU of the services is not known, so each needs at most as many times its tasks."
    return (
        f"no task is to be busier than those of {top[0]} were while all budgets held, "
        f"{format_percent(top[1])} of a core."
    )


def planned_text(planned: ApiServers | None) -> str:
    """`4`, `2-10`, or a dash."""
    return "–" if planned is None else str(planned.min) if planned.fixed else f"{planned.min}-{planned.max}"


def needed_text(tasks: int, at_best: int | None) -> str:
    """`4`, `3-4` where the measurement leaves it open, `at most 4` where the limit was not reached."""
    if at_best is None:
        return f"at most {tasks}" if tasks > 1 else "1"
    return str(tasks) if at_best == tasks else f"{at_best}-{tasks}"


def per_task_text(measured: MeasuredTask) -> str:
    """What one task carries, and how that is known."""
    parts = ", ".join(f"{format_number(value)} {_UNITS[name]}" for name, value in measured.per_task().items())
    least = "at least " if measured.bracket is None else ""
    of = f", measured with {measured.servers} of them" if measured.servers > 1 else ""
    return f"One task carries {least}{parts} ({measured.source}{of})."
