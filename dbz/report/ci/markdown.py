"""`summary.md`: the run on one page, fit for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from dbz.measure.budget.limits import format_value
from dbz.measure.budget.verdicts import Outcome
from dbz.measure.compare.differences import Change
from dbz.report.sparkline import sparkline
from dbz.report.words.advice import next_steps
from dbz.report.words.care import CARE_COLUMNS, CARE_TITLE, care_rows
from dbz.report.words.comparison import (
    by_verdict,
    change_text,
    comparison_headline,
    comparison_remarks,
    p_text,
    unit_of,
)
from dbz.report.words.facts import errors_outside_text, facts, health
from dbz.report.words.pages import PAGE_COLUMNS, PAGES_TITLE, page_remarks, page_rows
from dbz.report.words.services import PROCESS_COLUMNS, SERVICES_TITLE, process_rows, said_of_services
from dbz.report.words.verdict import (
    BADGES,
    by_importance,
    failed,
    headline,
    interval_text,
    is_measured,
    latency_text,
    limit_text,
    slowest_first,
    total_text,
    unsure,
    value_text,
    warns,
)
from dbz.runs.compare.document import Comparison
from dbz.runs.schema import BudgetResult, Operation, Run, RunVerdict
from dbz.runs.timeline import Timeline
from dbz.units import format_ms, format_rate

_CHANGES = {Change.WORSE: "❌", Change.BETTER: "✅", Change.UNCLEAR: "❔", Change.SAME: "➖"}
_MARKS = {RunVerdict.PASS: "✅", RunVerdict.FAIL: "❌"}
_MAX_ERRORS = 10
_MAX_BULLETS = 20
_MAX_OPERATIONS = 100
_MAX_BUDGETS = 100
_MAX_TEXT = 300
"""Characters of a name or a message in a cell."""
MAX_BYTES = 60_000
"""A comment on a pull request may have 65,536 characters, the summary of a job a mebibyte for all of its runs."""
_LEFT_OUT = "\n*There was no room for all sections here; they are in report.html.*\n"
_SPECIAL = re.compile(r"[^\w .,:;/(){}=?%+-]|(?<![^\W_])_|_(?![^\W_])")


def render_markdown(run: Run, chart: Timeline) -> str:
    """The text of the file, of at most `MAX_BYTES`; names and errors from outside cannot break out of their cells or
    mention anybody."""
    name = escape(_cut(str(run.profile.get("name", "?"))))
    of = f", run {run.repetition}" if run.repetition else ""
    sections = [
        f"## {_MARKS.get(run.verdict, '⚠️')} {BADGES[run.verdict]}: dbz load {name}{of}\n\n{headline(run)}",
        _bullets(_first([*run.reasons, *next_steps(run)], _MAX_BULLETS, "more reasons", "report.html")),
        _budgets(run),
        _changes(run.comparison) if run.comparison else "",
        _sparklines(run, chart),
        _details("Operations", _operations(run.operations, "Operation")),
        _details(PAGES_TITLE, _pages(run)) if run.pages else "",
        _details(SERVICES_TITLE, _services(run))
        if run.services or run.breakers or run.faults or run.service_processes
        else "",
        _details("By network", _operations(run.networks, "Network")) if run.networks else "",
        _details(CARE_TITLE, _table(CARE_COLUMNS, care_rows(run.care))) if run.care else "",
        _details("Errors", _errors(run)) if run.errors else "",
        _details("Counters", _counters(run)) if run.counters else "",
        _details("Deliveries, warm-up included", _deliveries(run)) if run.deliveries else "",
        _details("Generator, server and run", _facts(run)),
    ]
    return fitting([section for section in sections if section], MAX_BYTES)


def _services(run: Run) -> str:
    said = [escape(text) for text in said_of_services(run)]
    tables = [_operations(run.services, "Service")] if run.services else []
    tables += [_table(PROCESS_COLUMNS, process_rows(run))] if run.service_processes else []
    return "\n\n".join([*said, *tables])


def fitting(sections: Sequence[str], most_bytes: int) -> str:
    """Sections one below the other; those for which there is no room are left out, and that is said at the end."""
    room = most_bytes - len(_LEFT_OUT.encode())
    text, complete = "", True
    for section in sections:
        more = f"{section}\n\n"
        if len((text + more).encode(errors="replace")) <= room:
            text += more
        else:
            complete = False
    return text.rstrip("\n") + "\n" + ("" if complete else _LEFT_OUT)


def escape(text: str) -> str:
    """Text from outside such that Markdown shows it as it is: no markup, table cell, link or mention."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};" if found[0].isprintable() else " ", text)


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escape(_cut(text))}" for text in texts)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _first(texts: Sequence[str], most: int, what: str, where: str) -> list[str]:
    """The first texts; when there are more, how many of them are left out, and where they are."""
    rest = len(texts) - most
    return [*texts[:most], f"{rest:,} {what} are in {where}"] if rest > 0 else list(texts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    aligned = ["---" if at == 0 else "---:" for at in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, aligned, *rows])


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _budgets(run: Run) -> str:
    shown = [budget for budget in by_importance(run.budgets) if failed(budget) or is_measured(budget)]
    missing = [escape(budget.name) for budget in run.budgets if budget.verdict == Outcome.NOT_MEASURED]
    rows = [
        [
            f"{_sign(budget)} {escape(_cut(budget.name))} ({escape(budget.stat)})",
            value_text(budget),
            escape(limit_text(budget)),
            interval_text(budget),
            f"{budget.samples:,}",
        ]
        for budget in shown[:_MAX_BUDGETS]
    ]
    table = _table(["Budget", "Measured", "Limit", "95 % interval", "Samples"], rows) if rows else ""
    note = f"Not measured: {', '.join(_first(missing, _MAX_BUDGETS, 'more', 'report.html'))}." if missing else ""
    if len(shown) > _MAX_BUDGETS:
        note = f"{len(shown) - _MAX_BUDGETS:,} more budgets are in report.html. {note}"
    return "\n\n".join(part for part in (table, note) if part)


def _sign(budget: BudgetResult) -> str:
    return "❌" if failed(budget) else "⚠️" if warns(budget) else "❔" if unsure(budget) else "✅"


def _changes(comparison: Comparison) -> str:
    """What is not the same as in the baseline, and how that was found."""
    rows = [
        [
            f"{_CHANGES[one.verdict]} {escape(f'{one.kind} {one.operation}')} ({escape(one.stat)})",
            format_value(one.base, unit_of(one)),
            format_value(one.new, unit_of(one)),
            change_text(one),
            f"{one.low * 100:+.3g} to {one.high * 100:+.3g}",
            p_text(one).replace("<", "&lt;"),
        ]
        for one in by_verdict(comparison.figures)
        if one.verdict is not Change.SAME
    ]
    table = _table(["Against the baseline", "Base", "New", "Change", "95 % interval", "p"], rows) if rows else ""
    said = f"Against the baseline: {comparison_headline(comparison)}."
    return "\n\n".join(part for part in (said, table, _bullets(comparison_remarks(comparison))) if part)


def _sparklines(run: Run, chart: Timeline) -> str:
    rows: list[tuple[str, Sequence[float | None], Callable[[float], str]]] = [("rate", chart.rate, format_rate)]
    rows += [(f"p95 {kind}", by_percent[95.0], format_ms) for kind, by_percent in chart.latency_ms.items()]
    lines = [
        f"{label:<14} {sparkline(values)}  max {show(max(value for value in values if value is not None))}"
        for label, values, show in rows
        if any(value is not None for value in values)
    ]
    return "```text\n" + "\n".join(lines) + "\n```" if lines and run.duration_s else ""


def _operations(operations: Sequence[Operation], what: str) -> str:
    rows = [
        [
            f"{escape(_cut(operation.name))} ({escape(operation.kind)})",
            f"{operation.count:,}",
            f"{operation.errors:,}",
            format_rate(operation.rate_per_s),
            *(latency_text(getattr(operation.latency_ms, name)) for name in ("p50", "p95", "p99", "max")),
        ]
        for operation in slowest_first(operations)[:_MAX_OPERATIONS]
    ]
    rest = len(operations) - _MAX_OPERATIONS
    more = f"\n\n{rest:,} more operations, all faster, are in report.html and operations.csv." if rest > 0 else ""
    return _table([what, "Count", "Errors", "Rate", "p50 ms", "p95 ms", "p99 ms", "max ms"], rows) + more


def _pages(run: Run) -> str:
    rows = [[escape(_cut(name)), *cells] for name, *cells in page_rows(run.pages)]
    return f"{_table(PAGE_COLUMNS, rows)}\n\n{_bullets(page_remarks(run.pages, run.browser))}"


def _errors(run: Run) -> str:
    rows = [
        [f"{escape(_cut(group.operation))}: {escape(_cut(group.error))}", f"{group.count:,}", f"{group.first_s:.0f} s"]
        for group in run.errors[:_MAX_ERRORS]
    ]
    rest = len(run.errors) - _MAX_ERRORS
    more = f"\n\n{rest} more kinds of errors are in report.html." if rest > 0 else ""
    outside = errors_outside_text(run)
    more += f"\n\n{outside}" if outside else ""
    return _table(["Error", "Count", "First at"], rows) + more


def _counters(run: Run) -> str:
    rows = [
        [escape(_cut(one.name)), total_text(one.total), format_rate(one.rate_per_s)]
        for one in run.counters[:_MAX_OPERATIONS]
    ]
    return _table(["Counter", "Total", "Rate"], rows)


def _deliveries(run: Run) -> str:
    rows = [
        [escape(row.event), *(f"{getattr(row, name):,}" for name in ("sent", "expected", "lost", "duplicated"))]
        for row in run.deliveries
    ]
    return _table(["Event", "Sent", "Expected", "Lost", "Duplicated"], rows)


def _facts(run: Run) -> str:
    return "\n".join(f"- {label}: {escape(text)}" for label, text in [*health(run), *facts(run)] if text)
