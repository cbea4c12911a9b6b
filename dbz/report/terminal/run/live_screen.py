"""What the live view draws."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbz.measure.budget.limits import format_value
from dbz.measure.budget.verdicts import Outcome, Verdict
from dbz.report.live.figures import LiveFigures
from dbz.report.terminal.console import Glyphs, clean, glyphs_for
from dbz.report.terminal.run.tables import cell, grid
from dbz.report.words.verdict import KINDS, counters_now_text, latency_text
from dbz.units import counted, format_bytes, format_ms, format_rate

_BUSY_PERCENT = 80.0
_FIXED_LINES = 15
"""Lines of the screen beside those of the kinds and the budgets."""
_MAX_WORST, _LEAST_BUDGETS = 5, 4
"""The worst operations get lines only when so many are left for the budgets."""


def screen(figures: LiveFigures, title: str, elapsed_s: float, planned_s: float, console: Console) -> RenderableType:
    """Everything on one screen; budgets are cut when it is too low."""
    room = max(console.height - _FIXED_LINES - len(figures.recent()) - bool(figures.counters()), 1)
    worst = min(_MAX_WORST, room - _LEAST_BUDGETS - 2)
    worst = worst if worst >= 1 and figures.recent() else 0
    room -= worst + 2 if worst else 0
    parts: list[RenderableType] = [
        Text(clean(title), "bold", no_wrap=True, overflow="ellipsis"),
        Text(),
        _progress(figures, elapsed_s, planned_s, console),
        Text(),
        _now(figures),
        Text(),
        _recent(figures),
        Text(),
        *_worst_now(figures, worst),
        _budgets(figures.verdicts, glyphs_for(console), room),
        Text("Ctrl-C stops early; what was measured is kept and judged.", "dim"),
    ]
    return Padding(Group(*parts), (1, 2))


def phase(figures: LiveFigures, elapsed_s: float, planned_s: float) -> str:
    """What the run is doing: starting, warm-up, measuring or finishing."""
    if figures.ended or elapsed_s >= planned_s:
        return "finishing"
    if figures.steady:
        return "measuring"
    return "warm-up" if figures.last_lines else "starting"


def clock(seconds: float) -> str:
    """Minutes and seconds, `1:05`; hours in front when there are some."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _progress(figures: LiveFigures, elapsed_s: float, planned_s: float, console: Console) -> Text:
    doing = phase(figures, elapsed_s, planned_s)
    left = max(planned_s - elapsed_s, 0.0)
    label = f"  {clock(elapsed_s)} of {clock(planned_s)}, {clock(math.ceil(left))} left"
    width = max(console.width - len(label) - 15, 10)
    full = round(width * min(elapsed_s / planned_s, 1.0)) if planned_s else width
    glyphs = glyphs_for(console)
    colour = "cyan" if doing == "measuring" else "yellow"
    return Text.assemble(
        (f"{doing:<11}", f"bold {colour}"), (glyphs.full * full, colour), (glyphs.empty * (width - full), "dim"), label
    )


def _now(figures: LiveFigures) -> Table:
    cpu, server = figures.generator_cpu_percent, figures.server
    rows = Table.grid(padding=(0, 2))
    rows.add_row(Text("users", "dim"), Text(f"{figures.users:,}", "bold"))
    busy = "bold red" if cpu > _BUSY_PERCENT else ""
    lag = f", lag {format_ms(figures.lag_ms_p99())} (p99)"
    rows.add_row(Text("generator", "dim"), Text.assemble((f"{cpu:.0f} % of a core", busy), lag))
    rows.add_row(Text("server", "dim"), _server(server))
    if counters := figures.counters():
        rows.add_row(Text("counted", "dim"), cell(counters_now_text(counters)))
    return rows


def _server(line: dict[str, object]) -> Text:
    if line.get("up") is False:
        return Text("does not answer", "bold red")
    share, memory, sockets = (line.get(key) for key in ("cpu_share", "memory_bytes", "connections"))
    parts = []
    if isinstance(share, int | float):
        parts.append(f"{share * 100:.0f} % of its cores")
    if isinstance(memory, int | float):
        parts.append(format_bytes(memory))
    if isinstance(sockets, int | float):
        parts.append(counted(round(sockets), "connection"))
    if isinstance(lag_ms := line.get("event_loop_lag_ms"), int | float):
        parts.append(f"lag {format_ms(lag_ms)}")
    if not parts:
        return Text("says nothing of itself")
    return Text.assemble(", ".join(parts), (f"  {_origins(line)}", "dim"))


def _origins(line: dict[str, object]) -> str:
    """Where the figures come from, in short: two places at most."""
    sources = line.get("sources")
    origins = dict.fromkeys(source["origin"] for source in sources.values()) if isinstance(sources, dict) else {}
    return f"from {' and '.join(list(origins)[:2])}" if origins else ""


def _recent(figures: LiveFigures) -> Table:
    table = grid("<last 10 seconds", "rate", "p50 ms", "p95 ms", "p99 ms", "failed")
    for kind, latency in figures.recent().items():
        table.add_row(
            cell(KINDS[kind]),
            format_rate(latency.count / figures.recent_s),
            *(_latency(latency.percentile_ms(percent)) for percent in (50, 95, 99)),
            Text(f"{latency.errors:,}", "bold red" if latency.errors else "dim"),
        )
    return table


def _worst_now(figures: LiveFigures, most: int) -> list[RenderableType]:
    """Where to look: what fails most often, then what is slowest; nothing without room for it."""
    if not most:
        return []
    table = grid("<worst now", "rate", "p50 ms", "p95 ms", "p99 ms", "failed")
    for series, latency in figures.worst(most):
        table.add_row(
            cell(f"{series.kind} {series.name}"),
            format_rate(latency.count / figures.recent_s),
            *(_latency(latency.percentile_ms(percent)) for percent in (50, 95, 99)),
            Text(f"{latency.errors:,}", "bold red" if latency.errors else "dim"),
        )
    return [table, Text()]


def _latency(value_ms: float) -> Text:
    return Text(latency_text(value_ms), "red" if math.isinf(value_ms) else "")


def _budgets(verdicts: Iterable[Verdict], glyphs: Glyphs, room: int) -> Table:
    measured = [verdict for verdict in verdicts if verdict.value is not None]
    measured.sort(key=lambda verdict: not verdict.breaks_run)
    table = grid("<budgets so far", "now", "<limit")
    for verdict in measured[:room]:
        broken, unsure = verdict.breaks_run, verdict.outcome is Outcome.INCONCLUSIVE
        sign, style = (glyphs.unsure, "yellow") if unsure else (glyphs.good, "green")
        sign, style = (glyphs.bad, "bold red") if broken else (sign, style)
        value = format_value(verdict.value or 0.0, verdict.budget.limit.unit)
        name = Text.assemble((sign, style), " ", (clean(verdict.budget.name), style if broken else ""))
        table.add_row(name, Text(value, style if broken else "bold"), str(verdict.budget.limit))
    if not measured:
        table.add_row(Text("judged once the warm-up is over", "dim"))
    elif len(measured) > room:
        table.add_row(Text(f"and {len(measured) - room} more", "dim"))
    return table
