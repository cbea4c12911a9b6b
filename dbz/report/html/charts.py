"""What the charts of the HTML page show, as plain data: the page's script knows how to draw, not what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency.series import DELIVERY
from dbz.report.html.markers import phase_markers
from dbz.report.words.verdict import KINDS, limit_text
from dbz.runs.schema import BudgetResult, Run
from dbz.runs.storage.reading import Record
from dbz.runs.timeline import Timeline, Values, timeline

_MAX_STEPS = 600


@dataclass(frozen=True)
class Line:
    """One line of a chart; `colour` counts through the page's palette."""

    name: str
    values: Sequence[float | None]
    colour: int


@dataclass(frozen=True)
class Mark:
    """A horizontal line: the limit of a budget."""

    name: str
    value: float


@dataclass(frozen=True)
class Chart:
    """Lines over the time axis that all charts share; `unit` is `ms`, `%`, `bytes`, `/s` or none."""

    id: str
    title: str
    unit: str
    lines: list[Line]
    marks: list[Mark] = field(default_factory=list)


def charts(run: Run, chart: Timeline) -> list[Chart]:
    """The charts of a run, without those that would be empty."""
    every = [
        chart_of("rate", "Attempts a second", "/s", {KINDS[kind]: row for kind, row in chart.rate_by_kind.items()}),
        *_latencies(run, chart),
        chart_of("errors", "Failed attempts a second", "/s", {"failed": chart.errors}, first_colour=2),
        chart_of("users", "Virtual users", "", {"users": chart.users}),
        chart_of("server-cpu", "Server CPU, of its cores", "%", {"server": chart.server_cpu_percent}),
        chart_of("server-memory", "Server memory", "bytes", {"server": chart.server_memory_bytes}),
        chart_of("server-connections", "Server connections", "", {"connections": chart.server_connections}),
        chart_of("server-lag", "Server event-loop lag", "ms", {"server": chart.server_lag_ms}),
        chart_of(
            "generator-cpu", "Load generator CPU, of a core", "%", {"busiest worker": chart.generator_cpu_percent}
        ),
        chart_of("generator-lag", "Load generator lag", "ms", {"p99": chart.lag_ms}),
    ]
    return [one for one in every if one.lines]


def _latencies(run: Run, chart: Timeline) -> Iterator[Chart]:
    """One chart a kind, but one an event of deliveries: their budgets have little in common."""
    for kind in KINDS:
        if kind == DELIVERY:
            for event, rows in chart.delivery_ms.items():
                yield _latency(f"delivery-{event}", f"Delivery of {event}: latency", rows, _limits(kind, run, event))
        elif kind in chart.latency_ms:
            yield _latency(kind, f"{KINDS[kind]}: latency", chart.latency_ms[kind], _limits(kind, run))


def chart_data(run: Run, record: Record, finest: Timeline | None = None) -> dict[str, Any]:
    """Everything that the page's script needs; long runs are drawn in coarser steps than the finest there are."""
    step_s = max(1, -(-round(record.last_s) // _MAX_STEPS))
    chart = finest if finest and finest.step_s >= step_s else timeline(record, step_s)
    window = {"start_s": run.window.start_s, "end_s": run.window.end_s}
    rows = [asdict(one) for one in charts(run, chart)]
    markers = [asdict(one) for one in phase_markers(run, record)]
    return {"seconds": chart.seconds, "step_s": chart.step_s, "window": window, "markers": markers, "charts": rows}


def _latency(name: str, title: str, rows: Mapping[float, Values], limits: Iterable[BudgetResult]) -> Chart:
    lines = {f"p{percent:g}": values for percent, values in rows.items()}
    return chart_of(f"latency-{name}", title, "ms", lines, marks=[_mark(one) for one in limits])


def _limits(kind: str, run: Run, name: str | None = None) -> list[BudgetResult]:
    """The budgets on a percentile of a kind, or of one name of it."""
    found = []
    for budget in run.budgets:
        selector = parse_selector(budget.of)
        if budget.unit == "ms" and budget.limit and budget.stat.startswith("p") and selector.metric.name == kind:
            found += [budget] if name is None or selector.matches(name) else []
    return found


def _mark(budget: BudgetResult) -> Mark:
    return Mark(f"{budget.name}: {budget.stat} {limit_text(budget)}", budget.limit or 0.0)


def chart_of(
    name: str,
    title: str,
    unit: str,
    lines: Mapping[str, Sequence[float | None]],
    *,
    first_colour: int = 0,
    marks: Sequence[Mark] = (),
) -> Chart:
    """A chart of the lines that have any value."""
    drawn = [
        Line(label, [_short(value) for value in values], first_colour + at)
        for at, (label, values) in enumerate(lines.items())
        if any(value is not None for value in values)
    ]
    return Chart(name, title, unit, drawn, list(marks))


def _short(value: float | None) -> float | None:
    """Five digits: more than a screen can show, and a page that stays small."""
    return None if value is None else float(f"{value:.5g}")
