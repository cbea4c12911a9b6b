"""The freshness of a cache on a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.text import Text

from dbz.cache.admin.check import Freshness
from dbz.report.terminal.console import clean, make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import format_duration, format_percent

_EXAMPLES = 3


def print_freshness(found: Sequence[Freshness], stream: TextIO | None = None) -> None:
    """A row for each warmer, and some of the stale keys."""
    console = make_console(stream or sys.stdout)
    table = grid("<warmer", "keys", "looked at", "fresh", "<95 % interval", "nines", "stale", "oldest stale", "<")
    for one in found:
        interval = "-" if one.interval is None else " to ".join(format_percent(share) for share in one.interval)
        nines = "-" if one.nines is None else "all" if math.isinf(one.nines) else f"{one.nines:.1f}"
        oldest = format_duration(max(stale.age_s for stale in one.stale)) if one.stale else "-"
        share = "-" if one.share is None else format_percent(one.share)
        stale_keys = Text(f"{len(one.stale):,}", "bold red" if one.stale else "")
        figures = (f"{one.keys:,}", f"{one.sampled:,}", share, interval, nines, stale_keys, oldest)
        table.add_row(cell(one.name), *figures, cell(one.note, "dim"))
    console.print(table)
    for one in found:
        for stale in one.stale[:_EXAMPLES]:
            age = f"for {format_duration(stale.age_s)} at least" if stale.age_s else "for an unknown time"
            console.print(Text(clean(f"stale: {stale.key} ({stale.why}, {age})"), "dim"), soft_wrap=True)
