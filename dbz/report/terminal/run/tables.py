"""The tables of a run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dbz.measure.budget.verdicts import Outcome
from dbz.measure.latency.series import REQUEST_KINDS
from dbz.report.terminal.console import Glyphs, clean, glyphs_for
from dbz.report.words.care import CARE_COLUMNS, care_rows
from dbz.report.words.facts import target_text, users_text
from dbz.report.words.verdict import (
    by_importance,
    delivery_text,
    error_text,
    failed,
    interval_text,
    latency_text,
    limit_text,
    share_of_limit,
    slowest_first,
    total_text,
    unsure,
    value_text,
    warns,
)
from dbz.runs.schema import BudgetResult, CareFigures, CounterFigures, Operation, Run
from dbz.units import format_duration, format_percent, format_rate, format_times

WIDE = 110
"""From this many columns on, tables show everything that they have."""
NARROW = 72
"""Below this, they show names in full, and only the figures that decide."""
_MAX_OPERATIONS = 18
_MAX_ERRORS = 5
_BAR = 10
_CLOSE = 0.7


def grid(*columns: str) -> Table:
    """A table without lines. Columns are right-aligned unless their name begins with `<`."""
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for name in columns:
        left = name.startswith("<")
        table.add_column(name.removeprefix("<"), justify="left" if left else "right", no_wrap=not left)
    return table


def cell(text: str, style: str = "") -> Text:
    """Text from outside in a left-aligned cell: cut, never wrapped, when there is no room.

    In a file there is always room, but no reader finds a number behind a name that is as long as a page.
    """
    if len(text) > _LONGEST_CELL:
        text = f"{text[: _LONGEST_CELL - 40]} … {text[-37:]}"
    return Text(clean(text), style, no_wrap=True, overflow="ellipsis")


_LONGEST_CELL = 320
"""Room for the longest error that is recorded."""


def budgets_table(budgets: Sequence[BudgetResult], console: Console) -> Table:
    """Broken budgets first; what was not measured and not required is left to `unmeasured`."""
    glyphs, wide = glyphs_for(console), console.width >= WIDE
    if console.width < NARROW:
        return _narrow_budgets(budgets, glyphs)
    shown = [one for one in by_importance(budgets) if one.verdict != Outcome.NOT_MEASURED or failed(one)]
    more = ["<used", "samples", "error"] if wide else ["samples"]
    table = grid("<", "<statistic" if wide else "<", "measured", "<limit", "95 % interval", *more)
    for budget in shown:
        sign, style = _sign(budget, glyphs)
        plain = style in ("green", "yellow")
        name = Text.assemble((sign, style), " ", cell(budget.name, "" if plain else style))
        name.no_wrap, name.overflow = True, "ellipsis"
        bar = [_bar(share_of_limit(budget), glyphs)] if wide else []
        table.add_row(
            name,
            cell(f"{budget.stat} of {budget.of}" if wide else budget.stat.replace("error_rate", "errors"), "dim"),
            Text(value_text(budget), "bold" if plain else style),
            Text(limit_text(budget), no_wrap=True),
            Text(interval_text(budget), "yellow" if unsure(budget) else "dim"),
            *bar,
            f"{budget.samples:,}",
            *([Text(error_text(budget), "dim")] if wide else []),
        )
    return table


def _narrow_budgets(budgets: Sequence[BudgetResult], glyphs: Glyphs) -> Table:
    table = grid("<", "measured", "<limit")
    for budget in by_importance(budgets):
        if budget.verdict == Outcome.NOT_MEASURED and not failed(budget):
            continue
        sign, style = _sign(budget, glyphs)
        plain = style in ("green", "yellow")
        name = Text.assemble((sign, style), " ", (clean(budget.name), "" if plain else style), overflow="fold")
        table.add_row(name, Text(value_text(budget), "bold" if plain else style), Text(limit_text(budget)))
    table.columns[1].no_wrap = table.columns[2].no_wrap = True
    return table


def _sign(budget: BudgetResult, glyphs: Glyphs) -> tuple[str, str]:
    if failed(budget):
        return glyphs.bad, "bold red"
    if warns(budget):
        return "!", "bold yellow"
    return (glyphs.unsure, "yellow") if unsure(budget) else (glyphs.good, "green")


def remarks(budgets: Iterable[BudgetResult], console: Console) -> Text:
    """What a reader of the table should know of verdicts that are not sure or only warn; empty when there is
    nothing."""
    glyphs = glyphs_for(console)
    unsure_names = [clean(one.name) for one in budgets if unsure(one) and not failed(one) and not warns(one)]
    lines = [(glyphs.unsure, f" not sure, counted by its value: {', '.join(unsure_names)}")] if unsure_names else []
    lines += [
        ("!", f" warning only: {clean(one.name)}" + (f", {clean(one.note)}" if one.note else ""))
        for one in budgets
        if warns(one)
    ]
    return Text("\n").join(Text.assemble((sign, "bold yellow"), text) for sign, text in lines)


def unmeasured(budgets: Iterable[BudgetResult]) -> Text:
    """The names of the budgets that were not measured, in one dim paragraph; empty when there are none."""
    names = [clean(one.name) for one in budgets if one.verdict == Outcome.NOT_MEASURED and not failed(one)]
    return Text(f"Not measured: {', '.join(names)}", "dim") if names else Text()


def _bar(share: float | None, glyphs: Glyphs) -> Text:
    """How much of the limit is used, as a bar and a number."""
    if share is None:
        return Text()
    width = _BAR
    full = width if math.isinf(share) else min(width, max(math.ceil(share * width), 0))
    style = "green" if share < _CLOSE else "yellow" if share < 1 else "red"
    number = "" if math.isinf(share) else f" {share * 100:,.0f} %" if share < 2 else f" {format_times(share)}"
    return Text.assemble((glyphs.full * full, style), (glyphs.empty * (width - full), "dim"), (number, "dim"))


def operations_table(operations: Sequence[Operation], console: Console) -> Table:
    """Operations by kind, the slowest of each kind first."""
    wide = console.width >= WIDE
    if console.width < NARROW:
        return _narrow_operations(operations)
    percentiles = ["p50", "p90", "p95", "p99", "p999", "max"] if wide else ["p50", "p95", "p99"]
    headings = [f"{name.replace('p999', 'p99.9')} ms" for name in percentiles]
    table = grid("<", "<", "count", "errors", *(["rate"] if wide else []), *headings)
    for operation in slowest_first(operations)[:_MAX_OPERATIONS]:
        table.add_row(
            Text(operation.kind, "dim"),
            cell(operation.name),
            f"{operation.count:,}",
            Text(f"{operation.errors:,}", "red" if operation.errors else "dim"),
            *([format_rate(operation.rate_per_s)] if wide else []),
            *(_latency(getattr(operation.latency_ms, name), strong=name == "p95") for name in percentiles),
        )
    if len(operations) > _MAX_OPERATIONS:
        table.add_row("", cell(f"and {len(operations) - _MAX_OPERATIONS} more, see report.html", "dim"))
    return table


def _narrow_operations(operations: Sequence[Operation]) -> Table:
    """The kind stands above its operations, so that names have room."""
    table = grid("<", "count", "errors", "p50 ms", "p95 ms")
    shown = slowest_first(operations)[:_MAX_OPERATIONS]
    for kind, members in itertools.groupby(shown, key=lambda one: one.kind):
        table.add_row(Text(clean(kind), "dim"))
        for one in members:
            table.add_row(
                Text(f"  {clean(one.name)}", overflow="fold"),
                f"{one.count:,}",
                Text(f"{one.errors:,}", "red" if one.errors else "dim"),
                _latency(one.latency_ms.p50, strong=False),
                _latency(one.latency_ms.p95, strong=True),
            )
    if len(operations) > _MAX_OPERATIONS:
        table.add_row(Text(f"and {len(operations) - _MAX_OPERATIONS} more, see report.html", "dim"))
    return table


def _latency(value_ms: float | None, *, strong: bool) -> Text:
    return Text(latency_text(value_ms), "red" if value_ms is None else "bold" if strong else "")


def deliveries_table(run: Run) -> Table:
    """What became of the messages to several receivers."""
    table = grid("<", "<")
    table.show_header = False
    for row in run.deliveries:
        bad = row.lost or row.duplicated or row.out_of_order or row.astray
        table.add_row(cell(row.event), Text(delivery_text(row), "red" if bad else ""))
    return table


def care_table(care: Sequence[CareFigures]) -> Table:
    """What the care of the app saves."""
    first, *rest = CARE_COLUMNS
    table = grid(f"<{first.lower()}", *(name.lower() for name in rest))
    for name, *cells in care_rows(care):
        table.add_row(cell(name), *cells)
    return table


def counters_table(counters: Sequence[CounterFigures]) -> Table:
    """What the scenario counted."""
    table = grid("<", "total", "rate")
    for one in counters[:_MAX_OPERATIONS]:
        table.add_row(cell(one.name), total_text(one.total), format_rate(one.rate_per_s))
    if len(counters) > _MAX_OPERATIONS:
        table.add_row(cell(f"and {len(counters) - _MAX_OPERATIONS} more, see report.html", "dim"))
    return table


def errors_table(run: Run, console: Console) -> Table:
    """The most frequent errors."""
    narrow = console.width < NARROW
    table = grid("<", "count") if narrow else grid("<", "<", "count", "first", "last")
    for group in run.errors[:_MAX_ERRORS]:
        if narrow:
            what = Text.assemble((clean(group.error), "red"), f" in {clean(group.operation)}", overflow="fold")
            table.add_row(what, f"{group.count:,}")
            continue
        times = (f"{group.first_s:,.0f} s", f"{group.last_s:,.0f} s")
        table.add_row(cell(group.error, "red"), cell(group.operation), f"{group.count:,}", *times)
    if len(run.errors) > _MAX_ERRORS:
        table.add_row(cell(f"and {len(run.errors) - _MAX_ERRORS} more kinds, see report.html", "dim"))
    return table


def runs_table(runs: Sequence[Run]) -> Table:
    """All runs of a reports folder, one a row."""
    table = grid("<run", "<verdict", "<target", "judged", "users", "errors")
    styles = {"pass": "green", "fail": "bold red"}
    for run in runs:
        attempts = [operation for operation in run.operations if operation.kind in REQUEST_KINDS]
        count = sum(operation.count for operation in attempts)
        errors = sum(operation.errors for operation in attempts)
        table.add_row(
            Text(clean(run.id), no_wrap=True),
            Text(run.verdict.value, styles.get(run.verdict.value, "yellow")),
            cell(target_text(run), "dim"),
            format_duration(run.window.seconds),
            users_text(run).removesuffix("s").removesuffix(" user") or "–",
            format_percent(errors / count) if count else "–",
        )
    return table
