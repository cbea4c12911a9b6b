"""A warm-up on a terminal: a bar for each warmer while it runs, then a table; its plan, and what it was worth."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dbz.cache.warm.benefit import CacheState, WarmUpBenefit
from dbz.cache.warm.dry_run import WarmPlan, WarmUpForecast
from dbz.cache.warm.progress import LEFT_OUT, SKIPPED, Tally, WarmReport
from dbz.report.terminal.console import Glyphs, clean, glyphs_for, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import counted, format_bytes, format_duration, format_ms, format_percent, format_rate

_BAR = 24
_LINE_S = 5.0
_NAMELESS = "left out: its documents name no club"


class WarmView(Protocol):
    """What shows a running warm-up; `counts` when it shows how much there is to do."""

    counts: bool

    def update(self, tallies: Sequence[Tally]) -> None:
        """Show how far the warmers are."""


class _Bars:
    counts = True

    def __init__(self, live: Live, glyphs: Glyphs) -> None:
        self._live = live
        self._glyphs = glyphs

    def update(self, tallies: Sequence[Tally]) -> None:
        self._live.update(_bars(tallies, self._glyphs), refresh=True)


class _Lines:
    counts = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = time.monotonic() + _LINE_S

    def update(self, tallies: Sequence[Tally]) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINE_S
            parts = [f"{one.name} {one.handled:,}" for one in tallies]
            self._console.print("warming  " + "  ".join(parts), soft_wrap=True)


@contextmanager
def warm_view(stream: TextIO | None = None) -> Iterator[WarmView]:
    """Bars that redraw in place on a terminal, elsewhere a line every few seconds; on standard error."""
    console = make_console(stream or sys.stderr)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield _Bars(live, glyphs_for(console))


def _bars(tallies: Sequence[Tally], glyphs: Glyphs) -> Table:
    table = grid("<", "<", "", "<")
    for one in tallies:
        expected = max(one.expected, one.handled)
        share = 1.0 if one.state in ("done", "done before") else one.handled / expected if expected else 0.0
        full = round(_BAR * share)
        bar = Text.assemble((glyphs.full * full, "green"), (glyphs.empty * (_BAR - full), "dim"))
        table.add_row(
            cell(one.name),
            bar,
            f"{one.handled:,}" + (f" of {expected:,}" if one.expected else ""),
            cell(one.state, "dim"),
        )
    return table


def print_warm(report: WarmReport, stream: TextIO | None = None) -> None:
    """The table of a warm-up that has ended."""
    console = make_console(stream or sys.stdout)
    table = grid("<warmer", "documents", "keys", "bytes", "skipped", "seconds", "keys/s", "<")
    for one in report.tallies:
        table.add_row(
            cell(one.name),
            f"{one.documents:,}",
            f"{one.keys:,}",
            format_bytes(one.bytes),
            f"{one.skipped.total():,}",
            f"{one.seconds:.2f}",
            f"{one.keys_per_s:,.0f}",
            cell(_remark(one), "dim"),
        )
    console.print(table)
    console.print()
    verdict = ("Warmed", "bold green") if not report.stopped else ("Not complete", "bold red")
    rate = format_rate(report.keys / report.seconds) if report.seconds else "0/s"
    text = (
        f"  {counted(report.keys, 'key')}, {format_bytes(report.bytes)} in {format_duration(report.seconds)} ({rate})"
    )
    console.print(Text.assemble(verdict, text))
    if report.resumed:
        console.print(Text(f"Continued a warm-up that was interrupted ({report.resumed} warmers had begun).", "dim"))


def _remark(tally: Tally) -> str:
    parts = [] if tally.state == "done" else [_NAMELESS if tally.state == LEFT_OUT else tally.state]
    parts += [f"{tally.skipped[why]:,} {text}" for why, text in SKIPPED.items() if tally.skipped[why]]
    return ", ".join(parts)


def print_plan(plan: WarmPlan, stream: TextIO | None = None) -> None:
    """What a warm-up would write, and whether Redis has room for it."""
    console = make_console(stream or sys.stdout)
    table = grid("<warmer", "documents", "keys", "there already", "to write", "bytes", "<")
    for one in plan.forecasts:
        table.add_row(*_forecast_row(one))
    console.print(table)
    console.print()
    console.print(Text.assemble(("Nothing was written.  ", "bold"), clean(_room(plan))), soft_wrap=True)


def _forecast_row(one: WarmUpForecast) -> tuple[str | Text, ...]:
    numbers = (one.documents, one.keys, one.present, one.keys - one.present)
    remark = "" if one.exact else "about, from its first documents"
    remark = _NAMELESS if one.left_out else remark
    return (cell(one.name), *(f"{number:,}" for number in numbers), format_bytes(one.bytes), cell(remark, "dim"))


def _room(plan: WarmPlan) -> str:
    needed, room = format_bytes(plan.memory_bytes), plan.room
    if room.left_bytes is None:
        return f"It would take about {needed} of Redis's memory, which has no limit (maxmemory 0)."
    has = f"{format_bytes(room.left_bytes)} are free below maxmemory {format_bytes(room.limit_bytes)} ({room.policy})"
    verdict = "it fits" if plan.fits else "it does not fit, and warming would stop before anything is evicted"
    return f"It would take about {needed} of Redis's memory; {has}: {verdict}."


def print_benefit(found: WarmUpBenefit, stream: TextIO | None = None) -> None:
    """The p95 of the operations that the warmers serve, and the hit ratios of both layers."""
    console = make_console(stream or sys.stdout)
    table = grid("<p95", "cold", "<", "warm", "<", "cold / warm", "requests")
    for name in found.operations:
        cold, warm = found.cold.p95_ms[name], found.warm.p95_ms[name]
        times = f"{cold / warm:.2f}" if warm and found.told_apart(name) else "not told apart"
        requests = f"{found.cold.requests[name]:,} / {found.warm.requests[name]:,}"
        sides = [
            part
            for side in (found.cold, found.warm)
            for part in (format_ms(side.p95_ms[name]), _interval_ms(side.p95_interval_ms.get(name)))
        ]
        table.add_row(cell(name), *sides, times, requests)
    console.print(table)
    console.print()
    ratios = grid("<hit ratio", "cold", "warm")
    for layer, title in (("local", "local layer"), ("remote", "Redis, of what the local layer had not")):
        ratios.add_row(title, *(_ratio(side, layer) for side in (found.cold, found.warm)))
    console.print(ratios)
    console.print(Text("\nAll users began at once, each on a cache that had just been emptied.", "dim"))
    console.print(Text("Intervals are those of 95 % confidence, requests taken for independent.", "dim"))


def _interval_ms(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"({format_ms(low)} to {format_ms(high)})" if math.isfinite(high) else f"({format_ms(low)} or more)"


def _ratio(side: CacheState, layer: str) -> str:
    ratio, interval = side.hit_ratio(layer), side.hit_ratio_interval(layer)
    if ratio is None or interval is None:
        return "-"
    return f"{format_percent(ratio)} ({' to '.join(format_percent(round(share, 3)) for share in interval)})"
