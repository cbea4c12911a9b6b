"""The report of a run on a terminal: one screen that tells the story, verdict first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dbz.measure.compare.differences import Change
from dbz.report.files import HTML_FILE
from dbz.report.opening import open_conclusion
from dbz.report.terminal.console import clean, framed, glyphs_for, indented, make_console
from dbz.report.terminal.run.comparison import comparison_table
from dbz.report.terminal.run.pages import pages_table
from dbz.report.terminal.run.tables import (
    budgets_table,
    care_table,
    cell,
    counters_table,
    deliveries_table,
    errors_table,
    grid,
    operations_table,
    remarks,
    runs_table,
    unmeasured,
)
from dbz.report.words.advice import next_steps
from dbz.report.words.care import CARE_TITLE
from dbz.report.words.comparison import comparison_headline, comparison_remarks
from dbz.report.words.facts import (
    errors_outside_text,
    health,
    judged_text,
    load_text,
    target_text,
)
from dbz.report.words.pages import PAGES_TITLE
from dbz.report.words.services import PROCESS_COLUMNS, SERVICES_TITLE, process_rows, said_of_services
from dbz.report.words.verdict import BADGES, headline
from dbz.runs.compare.document import Comparison
from dbz.runs.schema import Run, RunVerdict
from dbz.runs.storage.folder import RunFolder

_DEFAULT_REPORTS = Path("reports")
"""Where `dbz report` looks for an id when it is not told otherwise."""
_STYLES = {RunVerdict.PASS: "green", RunVerdict.FAIL: "red"}


def print_run(folder: RunFolder, stream: TextIO | None = None) -> None:
    """Print the report of a run to `stream` (stdout); `UsageError` when the folder holds none."""
    run = open_conclusion(folder)
    print_summary(run, folder.path / HTML_FILE, make_console(stream or sys.stdout))


def print_conclusion(run: Run, folder: RunFolder, stream: TextIO | None = None) -> None:
    """The same for a run in hand, whatever is in its folder."""
    print_summary(run, folder.path / HTML_FILE, make_console(stream or sys.stdout))


def print_verdict(run: Run, stream: TextIO | None = None) -> None:
    """Print the verdict alone to `stream` (stdout), on one line."""
    (stream or sys.stdout).write(f"{BADGES[run.verdict]}  {clean(headline(run))}\n")


def print_runs(runs: Sequence[Run], stream: TextIO | None = None) -> None:
    """Print a table of runs to `stream` (stdout)."""
    make_console(stream or sys.stdout).print(runs_table(runs))


def print_summary(run: Run, report: Path, console: Console) -> None:
    """Print the verdict, why, the figures, and where `report` (the HTML page) is."""
    console.print(_verdict(run, console))
    _section(console, "Why", _reasons(run, console) if run.reasons else None)
    steps = next_steps(run)
    _section(console, "Look at", _list([clean(step) for step in steps], "→", console) if steps else None)
    if run.budgets:
        parts = (budgets_table(run.budgets, console), remarks(run.budgets, console), unmeasured(run.budgets))
        _section(console, "Budgets", Group(*(part for part in parts if part)))
    if run.comparison:
        _section(
            console, f"Against the baseline: {comparison_headline(run.comparison)}", _changes(run.comparison, console)
        )
    _section(console, "Operations", operations_table(run.operations, console) if run.operations else None)
    _section(console, PAGES_TITLE, pages_table(run, console) if run.pages else None)
    _section(console, SERVICES_TITLE, _services(run, console))
    _section(console, "By network", operations_table(run.networks, console) if run.networks else None)
    _section(console, CARE_TITLE, care_table(run.care) if run.care else None)
    _section(console, "Counters", counters_table(run.counters) if run.counters else None)
    _section(console, "Deliveries, warm-up included", deliveries_table(run) if run.deliveries else None)
    _section(console, "Errors", _errors(run, console))
    _section(console, "Health", _health(run))
    console.print()
    console.print(Text.assemble(("Report  ", "bold"), str(report)), soft_wrap=True)
    name = run.id if report.parent.parent == _DEFAULT_REPORTS else str(report.parent)
    console.print(Text.assemble(("Again   ", "bold"), f"dbz report show {name}"), soft_wrap=True)
    # On a low screen the head has scrolled away, and a log of CI is read from its end.
    style = f"bold {_STYLES.get(run.verdict, 'yellow')}"
    last = Table.grid(padding=(0, 1))
    last.add_row(Text("Verdict", "bold"), Text(_badge(run, console), style, no_wrap=True), Text(clean(headline(run))))
    console.print(last)


def _services(run: Run, console: Console) -> RenderableType | None:
    said = said_of_services(run)
    parts: list[RenderableType] = [
        *([operations_table(run.services, console)] if run.services else []),
        *(Text(clean(text)) for text in said),
        *([_processes(run)] if run.service_processes else []),
    ]
    return Group(*parts) if parts else None


def _processes(run: Run) -> RenderableType:
    name, *figures = PROCESS_COLUMNS
    table = grid(f"<{name.lower()}", *(one.lower() for one in figures))
    for row in process_rows(run):
        table.add_row(cell(row[0]), *row[1:])
    return Padding(table, (1, 0, 0, 0))


def _verdict(run: Run, console: Console) -> Panel:
    style = _STYLES.get(run.verdict, "yellow")
    text = Text.assemble(
        (f" {_badge(run, console)} ", f"badge {style}"),
        ("  " + clean(headline(run)), "bold"),
        ("\n" + clean(f"{run.title}, {target_text(run)}"), "dim"),
        ("\n" + judged_text(run), "dim"),
    )
    return framed(text, style, console)


def _badge(run: Run, console: Console) -> str:
    glyphs = glyphs_for(console)
    sign = glyphs.good if run.verdict is RunVerdict.PASS else glyphs.bad if run.verdict is RunVerdict.FAIL else "!"
    return f"{sign} {BADGES[run.verdict]}"


def _section(console: Console, title: str, body: RenderableType | None) -> None:
    if body is not None:
        console.print()
        console.print(Text(title, "bold"))
        console.print(indented(body))


def _reasons(run: Run, console: Console) -> RenderableType:
    return _list([clean(reason) for reason in run.reasons], glyphs_for(console).bad, console, "red")


def _list(texts: list[str], sign: str, console: Console, style: str = "bold") -> RenderableType:
    """One paragraph a text, hanging behind its sign."""
    rows = Table.grid(padding=(0, 1))
    sign = sign if console.encoding.startswith("utf") else ">" if sign == "→" else sign
    for text in texts:
        rows.add_row(Text(sign, style), Text(text))
    return rows


def _changes(comparison: Comparison, console: Console) -> RenderableType:
    """What is not the same as in the baseline, and how that was found."""
    notes = [Text(clean(text), "dim") for text in comparison_remarks(comparison)]
    if all(one.verdict is Change.SAME for one in comparison.figures):
        return Group(*notes)
    return Group(comparison_table(comparison, console, changed_only=True), *notes)


def _errors(run: Run, console: Console) -> RenderableType | None:
    parts = [errors_table(run, console)] if run.errors else []
    outside = [Text(errors_outside_text(run), "dim")] if run.errors_outside else []
    return Group(*parts, *outside) if parts or outside else None


def _health(run: Run) -> RenderableType | None:
    rows = Table.grid(padding=(0, 2))
    for label, text in [("load", load_text(run)), *health(run)]:
        if text:
            rows.add_row(Text(label.lower(), "dim"), Text(clean(text)))
    return rows if rows.row_count else None
