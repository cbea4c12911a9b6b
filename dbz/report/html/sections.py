"""The parts of the HTML page that need no script: the verdict, the tables and the facts.

Every text from outside goes through `escape`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from dbz.measure.budget.verdicts import Outcome
from dbz.measure.latency.series import REQUEST_KINDS
from dbz.report.html.charts import Chart
from dbz.report.words.advice import next_steps
from dbz.report.words.care import CARE_COLUMNS, CARE_TITLE, care_rows
from dbz.report.words.facts import (
    errors_outside_text,
    facts,
    health,
    judged_text,
    target_text,
    users_text,
)
from dbz.report.words.pages import PAGE_COLUMNS, PAGES_TITLE, is_bad, page_remarks, page_rows
from dbz.report.words.services import PROCESS_COLUMNS, SERVICES_TITLE, process_rows, said_of_services
from dbz.report.words.verdict import (
    BADGES,
    KINDS,
    by_importance,
    error_text,
    failed,
    headline,
    interval_text,
    latency_text,
    limit_text,
    share_of_limit,
    slowest_first,
    total_text,
    unsure,
    value_text,
    verdict_text,
    warns,
)
from dbz.runs.schema import AnswerMeans, BudgetResult, ErrorGroup, Operation, Run
from dbz.units import format_bytes, format_duration, format_number, format_percent, format_rate

SHOWN_OPERATIONS = 100
"""The other rows of a longer table are folded away, so that the charts stay within reach."""

Cell = tuple[str, float | str]
"""What a table shows, already escaped, and what it is sorted by."""
Row = tuple[str, Sequence[Cell]]
"""The class of a row, and its cells."""


def verdict(run: Run) -> str:
    """The head of the page."""
    where = escape(f"{run.title}, {target_text(run)}")
    return (
        f'<header class="verdict {run.verdict.value}"><p class="badge">{BADGES[run.verdict]}</p>'
        f"<h1>{escape(headline(run))}</h1><p>{where}<br>{escape(judged_text(run))}</p>"
        f"{_list('reasons', run.reasons)}{_list('steps', next_steps(run))}</header>"
    )


def _list(name: str, texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="{name}">{items}</ul>' if items else ""


def figures(run: Run) -> str:
    """The few numbers that people ask for first."""
    count = sum(operation.count for operation in run.operations if operation.kind in REQUEST_KINDS)
    errors = sum(operation.errors for operation in run.operations if operation.kind in REQUEST_KINDS)
    rate = sum(operation.rate_per_s for operation in run.operations if operation.kind in REQUEST_KINDS)
    tiles = [
        ("attempts", f"{count:,}"),
        ("attempts a second", format_rate(rate).removesuffix("/s")),
        ("failed", f"{errors:,} ({format_percent(errors / count)})" if count else "0"),
        ("users held", users_text(run).removesuffix("s").removesuffix(" user") or "–"),
    ]
    if run.server and run.server.cpu_percent is not None:
        tiles.append(("server CPU", f"{run.server.cpu_percent:.0f} %"))
    rows = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in tiles)
    return f'<dl class="figures">{rows}</dl>'


def budgets(run: Run) -> str:
    """All budgets, broken ones first."""
    head = ["Budget", "Verdict", "Measured", "Limit", "95 % interval", "Used", "Samples", "Error", "Of"]
    rows = [(_budget_class(one), _budget_cells(one)) for one in by_importance(run.budgets)]
    return section("budgets", "Budgets", table(head, rows, text_columns=(0, 1, 3, 4, 5, 8))) if rows else ""


def _budget_class(budget: BudgetResult) -> str:
    if failed(budget):
        return "broken"
    if warns(budget) or unsure(budget):
        return "unsure"
    return "missing" if budget.verdict == Outcome.NOT_MEASURED else "pass"


def _budget_cells(budget: BudgetResult) -> list[Cell]:
    share = share_of_limit(budget)
    return [
        text_cell(budget.name),
        (f'<span class="mark">{escape(verdict_text(budget))}</span>', verdict_text(budget)),
        number_cell("–" if budget.verdict == Outcome.NOT_MEASURED else value_text(budget), budget.value),
        number_cell(limit_text(budget), budget.limit),
        number_cell(interval_text(budget), budget.low),
        (_meter(share), -1 if share is None else share),
        number_cell(f"{budget.samples:,}", budget.samples),
        number_cell(error_text(budget), budget.error),
        text_cell(f"{budget.stat} of {budget.of}"),
    ]


def _meter(share: float | None) -> str:
    """How much of the limit is used; a drawing, because style attributes are not allowed on this page."""
    if share is None:
        return ""
    width = 60 if math.isinf(share) else min(60, 60 * share)
    number = "" if math.isinf(share) else f"{share * 100:,.0f} %" if share < 2 else f"{format_number(share)}×"
    state = "over" if share >= 1 else "close" if share >= 0.7 else "good"
    return (
        f'<svg class="meter {state}" width="60" height="8" aria-hidden="true"><rect width="60" height="8" rx="2"/>'
        f'<rect class="fill" width="{width:.1f}" height="8" rx="2"/></svg> <small>{number}</small>'
    )


def operations(run: Run) -> str:
    """One row for each operation, the slowest of each kind first."""
    head = ["Operation", "Kind", "Count", "Errors", "Rate /s", "Mean ms", "p50", "p90", "p95", "p99", "p99.9", "Max"]
    rows = [("broken" if one.errors else "", _operation_cells(one)) for one in slowest_first(run.operations)]
    if not rows:
        return ""
    body = table(head, rows[:SHOWN_OPERATIONS], text_columns=(0, 1))
    rest = rows[SHOWN_OPERATIONS:]
    if rest:
        more = f"{len(rest):,} more operations, each faster than those of its kind above"
        body += f"<details><summary>{more}</summary>{table(head, rest, text_columns=(0, 1))}</details>"
    return section("operations", "Operations", body)


def networks(run: Run) -> str:
    """One row for each network and kind of operations, in a load whose users are on several."""
    return section("networks", "By network", _together("Network", run.networks)) if run.networks else ""


def services(run: Run) -> str:
    """One row for each service that answered, which one is the slowest, and the breakers that opened; empty where
    nothing tells of services."""
    said = said_of_services(run)
    body = "".join(f"<p>{escape(text)}</p>" for text in said)
    body += _together("Service", run.services) if run.services else ""
    body += _processes(run) if run.service_processes else ""
    return section("services", SERVICES_TITLE, body) if body else ""


def _processes(run: Run) -> str:
    return table(PROCESS_COLUMNS, [("", [text_cell(cell) for cell in cells]) for cells in process_rows(run)])


def _together(what: str, rows: Sequence[Operation]) -> str:
    """A table of operations taken together, the slowest of each kind first."""
    head = [what, "Kind", "Count", "Errors", "Rate /s", "Mean ms", "p50", "p90", "p95", "p99", "p99.9", "Max"]
    cells = [("broken" if one.errors else "", _figure_cells(one, text_cell(one.name))) for one in slowest_first(rows)]
    return table(head, cells, text_columns=(0, 1))


def care(run: Run) -> str:
    """What the care of the app saves; empty unless the load was also run with less of it."""
    rows = [("", [text_cell(one) for one in cells]) for cells in care_rows(run.care)] if run.care else []
    return section("care", CARE_TITLE, table(CARE_COLUMNS, rows)) if rows else ""


def pages(run: Run) -> str:
    """What pages were like in a browser while the load ran; empty when none was opened."""
    if not run.pages:
        return ""
    rows = [
        ("broken" if is_bad(page) else "", [text_cell(one) for one in cells])
        for page, cells in zip(run.pages, page_rows(run.pages), strict=True)
    ]
    said = "".join(f"<p><small>{escape(text)}</small></p>" for text in page_remarks(run.pages, run.browser))
    return section("pages", PAGES_TITLE, table(PAGE_COLUMNS, rows) + said)


def _operation_cells(operation: Operation) -> list[Cell]:
    return _figure_cells(operation, (_detail_link(operation), operation.name))


def _figure_cells(operation: Operation, name: Cell) -> list[Cell]:
    latencies = operation.latency_ms.model_dump().values()
    return [
        name,
        (escape(operation.kind), KINDS.get(operation.kind, operation.kind)),
        number_cell(f"{operation.count:,}", operation.count),
        number_cell(f"{operation.errors:,}", operation.errors),
        number_cell(format_rate(operation.rate_per_s).removesuffix("/s"), operation.rate_per_s),
        *(number_cell(latency_text(value), math.inf if value is None else value) for value in latencies),
    ]


def answers(run: Run) -> str:
    """Where the time of answered requests went, by operation; empty when no client of ours made any."""
    head = ["Answers of", "Mean ms", "Connect", "TLS", "First byte", "Body", "Bytes", "New connections", "Answered"]
    rows = [("", _answer_cells(one.name, one.answers)) for one in slowest_first(run.operations) if one.answers]
    if not rows:
        return ""
    said = "<p><small>Mean times of answered requests, in milliseconds; bytes of bodies as they were sent.</small></p>"
    body = table(head, rows[:SHOWN_OPERATIONS]) + said
    return section("answers", "Where the time goes", body)


def _answer_cells(name: str, answers: AnswerMeans) -> list[Cell]:
    times = (answers.mean_ms, answers.connect_ms, answers.tls_ms, answers.first_byte_ms, answers.body_ms)
    return [
        text_cell(name),
        *(number_cell(latency_text(value), value) for value in times),
        number_cell(format_bytes(answers.bytes), answers.bytes),
        number_cell(f"{answers.connections:,}", answers.connections),
        number_cell(f"{answers.count:,}", answers.count),
    ]


def _detail_link(operation: Operation) -> str:
    """The name, which chooses the operation in the part about details."""
    key = escape(f"{operation.kind} {operation.name}")
    return f'<button class="link" data-detail="{key}">{escape(operation.name)}</button>'


def counters(run: Run) -> str:
    """What the scenario counted."""
    rows = [
        (
            "",
            [
                text_cell(one.name),
                number_cell(total_text(one.total), one.total),
                number_cell(format_rate(one.rate_per_s).removesuffix("/s"), one.rate_per_s),
            ],
        )
        for one in run.counters
    ]
    return section("counters", "Counters", table(["Counter", "Total", "Rate /s"], rows)) if rows else ""


def deliveries(run: Run) -> str:
    """What became of the messages to several receivers."""
    head = ["Event", "Sent", "Expected", "Delivered", "Lost", "Twice", "Out of order", "Astray"]
    rows = [
        (
            "broken" if row.lost or row.duplicated or row.out_of_order or row.astray else "",
            _delivery_cells(row.model_dump()),
        )
        for row in run.deliveries
    ]
    return section("deliveries", "Deliveries, warm-up included", table(head, rows)) if rows else ""


def _delivery_cells(row: dict[str, int | str]) -> list[Cell]:
    return [text_cell(str(row["event"])), *(number_cell(f"{count:,}", count) for count in list(row.values())[1:])]  # type: ignore[arg-type]


def errors(run: Run) -> str:
    """Equal errors together, the most frequent first."""
    head = ["Error", "Operation", "Count", "First at s", "Last at s"]
    rows = [("broken", _error_cells(group)) for group in run.errors]
    outside = errors_outside_text(run)
    body = table(head, rows, text_columns=(0, 1)) if rows else ""
    body += f"<p><small>{escape(outside)}</small></p>" if outside else ""
    return section("errors-table", "Errors", body) if body else ""


def _error_cells(group: ErrorGroup) -> list[Cell]:
    times = (group.first_s, group.last_s)
    return [
        text_cell(group.error),
        text_cell(f"{group.kind} {group.operation}"),
        number_cell(f"{group.count:,}", group.count),
        *(number_cell(f"{at:,.0f}", at) for at in times),
    ]


def run_facts(run: Run) -> str:
    """The health of generator and server, and what was run."""
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>"
        for label, text in [*health(run), *facts(run)]
        if text
    )
    return section("run", "The run", f'<dl class="facts">{rows}</dl>')


def resolution(span_s: int) -> str:
    """What the charts of a long run do not show; empty for others."""
    if span_s <= 1:
        return ""
    span = format_duration(float(span_s))
    text = f"The older part of this run is kept in spans of {span}: no chart is finer. All other figures are exact."
    return f"<p>{escape(text)}</p>"


def figure(chart: Chart) -> str:
    """The place of one chart; the script draws into it."""
    title = f"<figcaption>{escape(chart.title)}</figcaption>"
    return f'<figure class="chart" data-chart="{escape(chart.id)}">{title}</figure>'


def table(head: Sequence[str], rows: Iterable[Row], *, text_columns: Sequence[int] = (0,)) -> str:
    """A table that the script makes sortable."""
    classes = [' class="text"' if at in text_columns else "" for at in range(len(head))]
    titles = "".join(
        f'<th{style} scope="col"><button>{escape(name)}</button></th>'
        for name, style in zip(head, classes, strict=True)
    )
    body = "".join(
        f'<tr class="{name}">'
        + "".join(
            f'<td{style} data-value="{escape(str(value))}">{shown}</td>'
            for (shown, value), style in zip(cells, classes, strict=True)
        )
        + "</tr>"
        for name, cells in rows
    )
    grid = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{grid}</div>'


def section(name: str, title: str, body: str) -> str:
    """A part of the page with its heading."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>'


def text_cell(text: str) -> Cell:
    """A cell of text, sorted by it."""
    return escape(text), text


def number_cell(text: str, value: float | None) -> Cell:
    """A cell that shows a text and is sorted by a number; without one it comes first."""
    return escape(text), -1 if value is None else value
