"""What a Redis can do, on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from dbz.cache.admin.bench import CacheBench
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.tables import grid
from dbz.units import format_duration, format_rate


def print_bench(found: CacheBench, stream: TextIO | None = None) -> None:
    """Rates with their ratios, then times."""
    console = make_console(stream or sys.stdout)
    table = grid("<writing", "keys/s", "warm / it")
    table.add_row("warm-up, from documents in memory", format_rate(found.warm_per_s), "")
    for name, rate in (
        ("redis-py pipeline, encoded beforehand", found.pipelined_per_s),
        ("one SETEX after the other", found.one_by_one_per_s),
    ):
        table.add_row(name, format_rate(rate), f"{found.warm_per_s / rate:.2f}")
    console.print(table)
    console.print()
    times = grid("<reading and invalidating", "p50", "p99")
    times.add_row("GET from Redis", *_ms(found.redis_read_p50_ms, found.redis_read_p99_ms))
    times.add_row(
        "an invalidation, until another cache forgot", *_ms(found.invalidation_p50_ms, found.invalidation_p99_ms)
    )
    times.add_row("a hit in the local layer (mean)", format_duration(found.local_read_us / 1e6), "")
    console.print(times)
    console.print(Text(f"\n{found.keys:,} keys with values of {found.value_bytes} bytes, now removed.", "dim"))


def _ms(p50_ms: float, p99_ms: float) -> tuple[str, str]:
    return format_duration(p50_ms / 1000), format_duration(p99_ms / 1000)
