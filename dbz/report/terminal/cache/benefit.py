"""Cold against warm, on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from dbz.cache.warm.benefit import WarmUpBenefit
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import format_ms, format_percent


def print_comparison(found: WarmUpBenefit, stream: TextIO | None = None) -> None:
    """The p95 of the operations that the warmers serve, and the hit ratios of both layers."""
    console = make_console(stream or sys.stdout)
    table = grid("<p95", "cold", "warm", "cold / warm", "requests")
    for name in found.operations:
        cold, warm = found.cold.p95_ms[name], found.warm.p95_ms[name]
        times = f"{cold / warm:.2f}" if warm else "-"
        requests = f"{found.cold.requests[name]:,} / {found.warm.requests[name]:,}"
        table.add_row(cell(name), format_ms(cold), format_ms(warm), times, requests)
    console.print(table)
    console.print()
    ratios = grid("<hit ratio", "cold", "warm")
    for layer, title in (("local", "local layer"), ("remote", "Redis, of what the local layer had not")):
        shown = (found.cold.hit_ratio(layer), found.warm.hit_ratio(layer))
        ratios.add_row(title, *("-" if one is None else format_percent(one) for one in shown))
    console.print(ratios)
    console.print(Text("\nAll users began at once, each on a cache that had just been emptied.", "dim"))
