"""The screen of a running monitor: what is watched, where the rules are, and what was said last."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbz.config.grammar.watched import Watched, value_text
from dbz.config.monitor.file import MonitorFile
from dbz.monitor.rules.alerts import AlertStanding, AlertState
from dbz.monitor.watch import Said
from dbz.report.live.watching import RuleNow, Thing, WatchedNow, WatchingFigures
from dbz.report.sparkline import sparkline
from dbz.report.terminal.console import glyphs_for
from dbz.report.terminal.monitor import notice_text
from dbz.report.terminal.run.live_screen import clock
from dbz.report.terminal.run.tables import NARROW, WIDE, cell, grid
from dbz.units import counted, format_bytes, format_duration

_REDRAWS_PER_S = 1
_FRAME_LINES = 7
"""Lines beside those of things, rules and messages."""
_LEAST_MESSAGES = 3
_BAR = 10
_CLOSE = 0.8
_STATES = {AlertState.FIRING: "bold red", AlertState.PENDING: "yellow", AlertState.OK: "green"}
_COLUMNS = (
    (Watched.RESPONSE_TIME, "mean"),
    (Watched.P95_RESPONSE_TIME, "p95"),
    (Watched.ERROR_RATE, "errors"),
    (Watched.REQUESTS, "requests"),
    (Watched.CPU, "CPU"),
    (Watched.CONNECTIONS, "conns"),
)
_LEFT_OUT = {Watched.MEMORY, Watched.PROBE_TIME}
_NARROW_COLUMNS = (Watched.RESPONSE_TIME, Watched.ERROR_RATE, Watched.CPU)
_MIDDLE_COLUMNS = (*_NARROW_COLUMNS, Watched.P95_RESPONSE_TIME, Watched.REQUESTS)


class MonitorScreen:
    """A screen of its own that is redrawn in place once a second, and given back at the end."""

    def __init__(
        self, console: Console, config: MonitorFile, standings: Callable[[], Mapping[tuple[str, str], AlertStanding]]
    ) -> None:
        self._console, self._config, self._standings = console, config, standings
        self._figures = WatchingFigures(config)
        self._round_s = 0.0
        self._known: Mapping[tuple[str, str], AlertStanding] = {}
        self._taken_s, self._now = time.monotonic(), self._figures.now({})
        self._live = Live(
            console=console,
            screen=True,
            refresh_per_second=_REDRAWS_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._draw,
        )

    def say(self, said: Said) -> None:
        """Take in what the monitor says."""
        self._figures.take(said)
        if said.at_s != self._round_s:  # one round, one look at where the alerts are
            self._round_s, self._known = said.at_s, self._standings()
        # The thread that redraws sees whole moments only, and never asks the store.
        self._now, self._taken_s = self._figures.now(self._known), time.monotonic()

    def _draw(self) -> RenderableType:
        return screen(self._now, self._config, self._console, time.monotonic() - self._taken_s)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def screen(now: WatchedNow, config: MonitorFile, console: Console, since_s: float = 0.0) -> RenderableType:
    """Everything on one screen, `since_s` after the moment that is shown; what does not fit is counted."""
    room = max(console.height - _FRAME_LINES, 4)
    things = min(len(now.things), max(room - _LEAST_MESSAGES - min(len(now.rules), 6), 1))
    rules = min(len(now.rules), max(room - things - _LEAST_MESSAGES, 1))
    parts: list[RenderableType] = [
        _head(now, config, since_s),
        Text(),
        _things(now, console, things),
        Text(),
        _rules(now, console, rules),
        Text(),
        _messages(now, max(room - things - rules, 1)),
        Text("Ctrl-C ends it; what was seen is kept: dbz monitor report", "dim", no_wrap=True, overflow="ellipsis"),
    ]
    return Padding(Group(*parts), (0, 1))


def _head(now: WatchedNow, config: MonitorFile, since_s: float) -> Text:
    firing = sum(one.standing.state is AlertState.FIRING for one in now.rules)
    down = sum(one.reading is not None and one.reading.up is False for one in now.things)
    state = (f"{counted(firing, 'alert')} on", "bold red") if firing else ("all quiet", "bold green")
    parts = [f"every {format_duration(config.interval)}", f"for {clock(now.watched_s + since_s)}"]
    if now.age_s is not None:
        parts.append(f"asked {now.age_s + since_s:.0f} s ago")
    parts += [f"{down} down"] if down else []
    text = Text.assemble(("dbz monitor  ", "bold"), state, (f"  {', '.join(parts)}", "dim"))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _things(now: WatchedNow, console: Console, most: int) -> Table:
    width = console.width
    told = {of for thing in now.things if thing.reading for of in thing.reading.figures}
    shown = [(of, name) for of, name in _COLUMNS if of in told and (width >= WIDE or of in _columns(width))]
    table = grid("<watched", "<", *(name for _, name in shown), "memory", "<")
    spark = 24 if width >= WIDE else 12 if width >= NARROW else 6
    for thing in now.things[:most]:
        recent = Text(sparkline(thing.recent[-spark:]), "cyan")
        table.add_row(*_cells(thing, [of for of, _ in shown], console), _with_others(recent, thing))
    if len(now.things) > most:
        table.add_row(Text(f"and {len(now.things) - most} more", "dim"))
    return table


def _columns(width: int) -> tuple[Watched, ...]:
    return _NARROW_COLUMNS if width < NARROW else _MIDDLE_COLUMNS


def _cells(thing: Thing, figures: list[Watched], console: Console) -> list[RenderableType]:
    reading, glyphs = thing.reading, glyphs_for(console)
    if reading is None:
        return [cell(thing.name), Text(glyphs.missing, "dim"), *(Text("") for _ in figures), Text("")]
    good = Text(glyphs.missing, "dim") if reading.up is None else Text(glyphs.good, "green")
    state = Text(glyphs.bad, "bold red") if reading.up is False else good
    values = [Text(value_text(of, reading.figures[of]) if of in reading.figures else "") for of in figures]
    memory = reading.details.get("memory_bytes")
    used = Text(format_bytes(memory) if isinstance(memory, int | float) else "")
    return [cell(thing.name), state, *values, used]


def _with_others(recent: Text, thing: Thing) -> Text:
    """A sparkline, and what a thing tells beside the columns: all there is of a Redis, a queue or a probe."""
    others = [] if thing.reading is None else thing.reading.figures.items()
    columns = {of for of, _ in _COLUMNS} | _LEFT_OUT
    texts = [f"{of.value} {value_text(of, value)}" for of, value in others if of not in columns]
    text = Text.assemble(recent, (f" {', '.join(texts)}" if texts else "", "dim"))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _rules(now: WatchedNow, console: Console, most: int) -> Table:
    wide = console.width >= NARROW
    table = grid("<rules", "<", "<", "now", "<" if wide else "used", *(["used"] if wide else []))
    for rule in now.rules[:most]:
        table.add_row(*_rule_cells(rule, console, wide))
    if len(now.rules) > most:
        table.add_row(Text(f"and {len(now.rules) - most} more", "dim"))
    return table


def _rule_cells(rule: RuleNow, console: Console, wide: bool) -> list[RenderableType]:
    standing, style = rule.standing, _STATES[rule.standing.state]
    value = "" if standing.value is None or rule.condition is None else rule.condition.value_text(standing.value)
    limit = "" if rule.condition is None else f"of {str(rule.condition).partition(' for ')[0]}"
    used = "" if rule.used is None else f"{min(rule.used, 9.99) * 100:.0f} %"
    close = "bold red" if (rule.used or 0) >= 1 else "yellow" if (rule.used or 0) >= _CLOSE else ""
    cells: list[RenderableType] = [Text(standing.state.value, style), cell(rule.thing), cell(rule.type, style)]
    cells.append(Text(value, close))
    if wide:
        cells.append(_bar(rule, console) if console.width < WIDE else cell(limit, "dim"))
    return [*cells, Text(used, close)]


def _bar(rule: RuleNow, console: Console) -> Text:
    glyphs, used = glyphs_for(console), min(max(rule.used or 0.0, 0.0), 1.0)
    full = round(used * _BAR)
    colour = "red" if used >= 1 else "yellow" if used >= _CLOSE else "green"
    return Text.assemble((glyphs.full * full, colour), (glyphs.empty * (_BAR - full), "dim"))


def _messages(now: WatchedNow, most: int) -> Table:
    table = Table.grid(padding=(0, 2))
    for said in now.messages[:most]:
        text = notice_text(said.notice) if said.notice is not None else f"note: {said.note}"
        style = "red" if said.notice is not None and said.notice.event == "firing" else ""
        table.add_row(Text(f"{datetime.fromtimestamp(said.at_s):%H:%M:%S}", "dim"), cell(text, style))
    if not now.messages:
        table.add_row(Text("nothing was told yet", "dim"))
    return table
