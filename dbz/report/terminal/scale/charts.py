"""The charts and the table of `dbz scale simulate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from dbz.report.terminal.console import clean, glyphs_for, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.scaling.simulate.simulator import Price, Simulation
from dbz.scaling.simulate.traces import Trace
from dbz.units import format_duration, format_percent

_HEIGHT = 9
_WIDEST = 96
_MOST_STEPS = 16


def print_simulations(
    load: Trace, about: str, bounds: tuple[int, int], found: Sequence[Simulation], price: Price | None = None
) -> None:
    """Print each policy's chart, then all of them in one table, with money where a task has a price."""
    console = make_console(sys.stdout)
    console.print(Text(clean(f"{load.name}: {format_duration(len(load))} of load; {about}.")))
    for one in found:
        console.print()
        lowest, highest = bounds
        between = f", {lowest} to {highest} tasks" if lowest < highest else f", always {lowest} tasks"
        title = one.policy + ("" if one.policy.startswith("fixed") else between)
        console.print(Text(clean(title), "bold"))
        for line in _chart(one, console):
            console.print(line)
    console.print()
    console.print(_table(found, price))
    if load.censored_s:
        console.print()
        text = (
            f"For {format_duration(load.censored_s)} the recorded CPU is at its end (100 %): how much more was asked "
            "is not known, so what is under capacity or lost is AT LEAST what the table says. Record requests instead."
        )
        console.print(Text(text, "yellow"))
    if len(found) == 1 and found[0].changes:
        console.print()
        console.print(_steps(found[0]))


def _chart(one: Simulation, console: Console) -> list[Text]:
    """Load as bars, tasks that run as a line, tasks that were asked for and do not run yet as dots."""
    width = max(20, min(console.width - 8, _WIDEST, one.seconds))
    columns = [_column(one, at * one.seconds // width, (at + 1) * one.seconds // width) for at in range(width)]
    top = max(1.0, *(max(load, running, desired) for load, running, desired in columns))
    fancy = glyphs_for(console).full == "━"
    bar, line, asked = ("█", "─", "·") if fancy else ("#", "-", ".")
    rows = []
    for row in range(_HEIGHT, 0, -1):
        text = Text(f"{top * row / _HEIGHT:5.1f} ", "dim")
        for load, running, desired in columns:
            text.append(*_mark(row, top, (load, running, desired), (bar, line, asked)))
        rows.append(text)
    end = format_duration(one.seconds)
    rows.append(Text(f"{'':6}0{end:>{width - 1}}", "dim"))
    rows.append(Text(f"{'':6}{bar} load in tasks  {line} running  {asked} asked for", "dim"))
    return rows


def _mark(row: int, top: float, column: tuple[float, int, int], signs: tuple[str, str, str]) -> tuple[str, str]:
    load, running, desired = column
    level = _row_of(load, top)
    if row == _row_of(running, top):
        return signs[1], "bold red" if load > running else "bold"
    if row <= level:
        return signs[0], "red" if load > running else "cyan"
    return (signs[2], "yellow") if row == _row_of(desired, top) else (" ", "")


def _row_of(value: float, top: float) -> int:
    return round(value / top * _HEIGHT)


def _column(one: Simulation, begin: int, end: int) -> tuple[float, int, int]:
    """Highest load, fewest tasks that run and the last number asked for, within some seconds."""
    end = max(end, begin + 1)
    known = [value for value in one.demand[begin:end] if value is not None]
    return max(known, default=0.0), min(one.running[begin:end]), one.desired[end - 1]


def _table(found: Sequence[Simulation], price: Price | None) -> object:
    money = ["cost"] if price else []
    table = grid("<policy", "under capacity", "load lost", "task-hours", *money, "most tasks", "steps", "flaps")
    for one in found:
        table.add_row(
            cell(one.policy),
            _under(one),
            ("≥ " if one.censored_s else "") + format_percent(one.lost),
            f"{one.task_hours:,.1f}",
            *([f"{one.task_hours * price.an_hour:,.2f} {price.currency}"] if price else []),
            str(one.highest),
            str(len(one.changes)),
            Text(str(one.flaps), "yellow" if one.flaps else ""),
        )
    return table


def _under(one: Simulation) -> Text:
    """The time under capacity; where the trace is censored only the least that it was."""
    if one.censored_s:
        text = f"≥ {format_duration(one.under_s)}, {format_duration(one.censored_s)} not known"
        return Text(text, "red" if one.under_s else "yellow")
    return Text(format_duration(one.under_s), "red" if one.under_s else "green")


def _steps(one: Simulation) -> object:
    table = grid("at", "tasks", "<because", "<")
    for change in one.changes[:_MOST_STEPS]:
        flap = Text("flap", "yellow") if change.flap else Text()
        at = format_duration(change.at_s)
        table.add_row(at, f"{change.before} → {change.after}", cell(change.reason), flap)
    if len(one.changes) > _MOST_STEPS:
        table.add_row("", "", cell(f"and {len(one.changes) - _MOST_STEPS} more; --json has all", "dim"), "")
    return table
