"""The state of a cache on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbz.cache.admin.survey import BigKey, FamilyFigures, ServerFigures, Survey
from dbz.cache.layers.stats import Counts, ProcessFigures
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.tables import cell, grid
from dbz.units import format_bytes, format_duration, format_percent


class StatsView:
    """Shows one survey after the other; requests are those since the survey before."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console = console
        self._live = live
        self._before: Counts = {}

    def show(self, survey: Survey) -> None:
        """Show it, in place of the one before when the terminal can do that."""
        body = _body(survey, since(survey.counts, self._before))
        self._before = survey.counts
        if self._live is None:
            self._console.print(body)
        else:
            self._live.update(body, refresh=True)


@contextmanager
def stats_view(*, live: bool, stream: TextIO | None = None) -> Iterator[StatsView]:
    """A view that redraws in place when it is `live` and on a terminal."""
    console = make_console(stream or sys.stdout)
    if not (live and console.is_terminal):
        yield StatsView(console, None)
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as screen:
        yield StatsView(console, screen)


def since(now: Counts, before: Counts) -> Counts:
    """The counts that came on top; a count that has shrunk (a process is gone) starts anew."""
    return {
        family: {
            layer: {
                outcome: count
                - (past if (past := before.get(family, {}).get(layer, {}).get(outcome, 0)) <= count else 0)
                for outcome, count in outcomes.items()
            }
            for layer, outcomes in layers.items()
        }
        for family, layers in now.items()
    }


def _body(survey: Survey, counts: Counts) -> RenderableType:
    parts = [("Servers", _servers(survey.servers))]
    if survey.processes:
        parts.append(("Processes", _processes(survey.processes)))
    title = "Families" if survey.exact else f"Families, calculated from {survey.sampled:,} keys"
    parts.append((title, _families(survey.families, counts)))
    if survey.hottest:
        parts.append(("Hottest keys, by sample", _hottest(survey.hottest)))
    blocks: list[RenderableType] = []
    for name, table in parts:
        blocks += [Text(name, "bold"), Padding(table, (0, 0, 1, 2), expand=False)]
    return Group(*blocks)


def _servers(servers: list[ServerFigures]) -> Table:
    table = grid(
        "<redis", "keys", "memory", "of", "<policy", "hits", "misses", "hit ratio", "evicted", "expired", "ops/s"
    )
    for one in servers:
        limit = format_bytes(one.limit_bytes) if one.limit_bytes else "no limit"
        figures = (f"{one.hits:,}", f"{one.misses:,}", ratio(one.hits, one.misses))
        evicted = Text(f"{one.evicted:,}", "bold red" if one.evicted else "")
        table.add_row(
            cell(one.name), f"{one.keys:,}", format_bytes(one.used_bytes), limit, cell(one.policy), *figures, evicted,
            f"{one.expired:,}", f"{one.commands_per_s:,.0f}",
        )  # fmt: skip
    return table


def _processes(processes: list[ProcessFigures]) -> Table:
    table = grid("<process", "local entries", "bytes", "of", "local hit ratio", "Redis hit ratio", "loads", "mean load")
    for one in processes:
        local, remote = (_outcomes(one.families, layer) for layer in ("local", "remote"))
        mean = format_duration(one.load_s / one.loads) if one.loads else "-"
        sizes = (f"{one.entries:,}", format_bytes(one.size_bytes), format_bytes(one.max_bytes))
        table.add_row(cell(one.name), *sizes, ratio(*local), ratio(*remote), f"{one.loads:,}", mean)
    return table


def _outcomes(families: Counts, layer: str) -> tuple[int, int]:
    found = [layers.get(layer, {}) for layers in families.values()]
    return sum(one.get("hit", 0) for one in found), sum(one.get("miss", 0) for one in found)


def _families(families: list[FamilyFigures], counts: Counts) -> Table:
    table = grid(
        "<family", "keys", "memory", "left p10", "p50", "p90", "for ever", "local hits", "ratio", "Redis hits", "ratio"
    )
    known = {one.name: one for one in families}
    for name in [*known, *(name for name in counts if name not in known)]:
        one = known.get(name, FamilyFigures(name))
        lives = [format_duration(one.life_s[rank]) if one.life_s else "-" for rank in ("p10", "p50", "p90")]
        endless = Text(f"{one.lives['for ever']:,}", "yellow" if one.lives["for ever"] else "dim")
        asked = []
        for layer in ("local", "remote"):
            outcomes = counts.get(name, {}).get(layer, {})
            hits, misses = outcomes.get("hit", 0), outcomes.get("miss", 0)
            asked += [f"{hits:,}", ratio(hits, misses)]
        keys = f"{one.keys:,}" + (f" ±{one.keys_margin:,}" if one.keys_margin else "")
        off = f" ±{format_bytes(one.memory_margin_bytes)}" if one.memory_margin_bytes else ""
        table.add_row(cell(name), keys, format_bytes(one.memory_bytes) + off, *lives, endless, *asked)
    return table


def print_big_keys(keys: list[BigKey], most: int, stream: TextIO | None = None) -> None:
    """The largest keys, and those whose reading moves most bytes."""
    console = make_console(stream or sys.stdout)
    table = grid("<largest keys", "<type", "memory", "requests, about")
    for one in keys[:most]:
        table.add_row(cell(one.key), cell(one.kind), format_bytes(one.memory_bytes), f"{one.requests:,}")
    console.print(table)
    hot = sorted((one for one in keys if one.requests), key=lambda one: -one.traffic_bytes)[:most]
    if hot:
        console.print()
        table = grid("<hot keys, by bytes", "memory", "requests, about", "bytes read, about")
        for one in hot:
            row = (format_bytes(one.memory_bytes), f"{one.requests:,}", format_bytes(one.traffic_bytes))
            table.add_row(cell(one.key), *row)
        console.print(table)


def _hottest(keys: list[tuple[str, int]]) -> Table:
    table = grid("<key", "requests, about")
    for key, count in keys:
        table.add_row(cell(key), f"{count:,}")
    return table


def ratio(hits: int, misses: int) -> str:
    """The share of hits, a dash when nothing was asked for."""
    return format_percent(hits / (hits + misses)) if hits + misses else "-"
