"""`dbz scale size`: how many tasks each phase of the plan needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.errors import UsageError

if TYPE_CHECKING:
    from dbz.scaling.size.sizing import MeasuredTask, PhaseSize

DEFAULT_REPORTS = Path("reports")


def size(
    source: Annotated[
        str, typer.Option("--from", metavar="FILE|RUN", help="A capacity.json or a run [default: the newest capacity].")
    ] = "",
    phases: Annotated[str, typer.Option(metavar="FILE", help="The scaling plan; see configs/phases.yaml.")] = "default",
    headroom: Annotated[str, typer.Option(help="How much more than its targets a phase is to carry.")] = "30%",
    measured_tasks: Annotated[
        int | None, typer.Option(min=1, help="Server processes that were measured, where the record does not say.")
    ] = None,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="The folder that holds the runs.")] = DEFAULT_REPORTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Say how many tasks each phase needs, by what was measured.

    \b
    A task carries what dbz capacity measured, divided by the server
    processes that it measured. The range is that of the measurement: the
    highest load that held, and the lowest that did not. It assumes that
    tasks add up, so measure again with the store and cache of the phase.

    \b
    Examples:
      dbz scale size                              by the newest dbz capacity
      dbz scale size --from reports/ID --headroom 50%
      dbz scale size --from latest --json         by a run that held its budgets
    """
    from dbz.config.phases import load_phases
    from dbz.scaling.size.measured import read_measured
    from dbz.scaling.size.sizing import size_phases

    plan, share = load_phases(phases), headroom_of(headroom)
    measured = read_measured(source or newest(reports), reports, measured_tasks)
    if not measured.per_task():
        raise UsageError(f"{measured.source} measured neither users, connections nor requests")
    sizes = size_phases(plan.phases, measured, share)
    if as_json:
        typer.echo(_document(measured, sizes, share))
    else:
        _print(measured, sizes, share)


def headroom_of(text: str) -> float:
    """The share of one that `--headroom` names."""
    from dbz.units import parse_percent

    try:
        return parse_percent(text)
    except ValueError as error:
        raise UsageError(f"--headroom: {error}") from error


def newest(reports: Path) -> str:
    """The newest capacity of a reports folder; `UsageError` when there is none."""
    from dbz.scaling.size.measured import newest_capacity

    found = newest_capacity(reports)
    if found is None:
        raise UsageError(f"there is no capacity in {reports}", hint="dbz capacity measures one; or name it with --from")
    return str(found)


def _document(measured: MeasuredTask, sizes: list[PhaseSize], headroom: float) -> str:
    import json

    rows = [
        {
            "phase": one.phase,
            "planned": None if one.planned is None else {"min": one.planned.min, "max": one.planned.max},
            "tasks": one.tasks,
            "tasks_at_best": one.at_best,
            "by": one.by,
            "needs": one.needs,
            "verdict": one.verdict.value,
            "advice": one.advice,
        }
        for one in sizes
    ]
    document = {
        "schema": "dbz.size/1",
        "from": measured.source,
        "measured_tasks": measured.servers,
        "per_task": measured.per_task(),
        "headroom": headroom,
        "phases": rows,
    }
    return json.dumps(document, indent=1)


def _print(measured: MeasuredTask, sizes: list[PhaseSize], headroom: float) -> None:
    import sys

    from rich.text import Text

    from dbz.report.terminal.console import clean, make_console
    from dbz.report.terminal.run.tables import cell, grid
    from dbz.scaling.size.sizing import SizeVerdict
    from dbz.units import format_percent

    console = make_console(sys.stdout)
    styles = {SizeVerdict.ENOUGH: "green", SizeVerdict.TOO_SMALL: "bold red", SizeVerdict.WASTEFUL: "yellow"}
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
    units = {"users": "{:,.0f} users", "connections": "{:,.0f} connections", "requests": "{:,.3g} requests/s"}
    parts = ", ".join(units[name].format(value) for name, value in measured.per_task().items())
    least = "at least " if measured.bracket is None else ""
    of = f", measured with {measured.servers} of them" if measured.servers > 1 else ""
    return f"One task carries {least}{parts} ({measured.source}{of})."
