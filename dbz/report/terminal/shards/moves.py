"""The view of a running rebalance: a screen on a terminal; elsewhere lines, of text or of JSON, ever more rarely."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from dbz.report.terminal.console import clean, glyphs_for, make_console
from dbz.report.words.shards import move_text
from dbz.report.words.shards_progress import (
    lag_text,
    move_texts,
    share_of,
    slowed_text,
    standing_document,
    standing_line,
    total_text,
)
from dbz.shards.move.progress import Current, Ended, MoveStanding, MoveTracker

_REDRAWS_PER_S = 3
_LOOK_S = 0.1
_FIRST_LINE_S = 2.0
_LINE_S = 5.0
_LINES_GROW = 1 / 20
_MOST_ENDED = 50
_FIXED_LINES = 13
_LABEL = 11
_BAR = 24


@contextmanager
def moves_view(
    tracker: MoveTracker, stopping: Callable[[], bool], *, as_json: bool, stream: TextIO | None = None
) -> Iterator[None]:
    """Show the tracker's standing within this block, on standard error."""
    stream = stream or sys.stderr
    console = make_console(stream)
    if console.is_terminal and not console.is_dumb_terminal and not console.no_color and not as_json:
        with _screen(tracker, stopping, console):
            yield
        _print_ended(tracker.standing().ended, stream)
        return
    lines = MoveLines(stream) if as_json else TextLines(stream)
    with _ticking(lambda: lines.update(tracker.standing(), stopping=stopping())):
        yield


@contextmanager
def _screen(tracker: MoveTracker, stopping: Callable[[], bool], console: Console) -> Iterator[None]:
    """A screen of its own: nothing scrolls, a resize leaves no rubble, and the user's screen comes back as it was."""
    live = Live(
        console=console,
        screen=True,
        refresh_per_second=_REDRAWS_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
        get_renderable=lambda: moves_screen(tracker.standing(), console, stopping=stopping()),
    )
    with live:
        yield


@contextmanager
def _ticking(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` often, from a thread of its own, and once more at the end."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(_LOOK_S):
            look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        look()


class Cadence:
    """When the next line is due: after 5 s, later after a twentieth of the time that has passed.

    So a day of moving gives some 160 lines, and an hour 90.
    """

    def __init__(self) -> None:
        self._next_s = _FIRST_LINE_S

    def due(self, elapsed_s: float) -> bool:
        """Whether a line is due now; then the next one is put off."""
        if elapsed_s < self._next_s:
            return False
        self._next_s = elapsed_s + max(_LINE_S, elapsed_s * _LINES_GROW)
        return True


class TextLines:
    """Lines of text: where things stand now and then, the first 50 moves that end, and each that is given up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._cadence = Cadence()
        self._told = 0
        self._shown = 0
        self._remark = ""
        self._stopping = False

    def update(self, now: MoveStanding, *, stopping: bool) -> None:
        """Write what is due."""
        for one in now.ended[self._told :]:
            self.tell(one)
        self._told = len(now.ended)
        if now.remark and now.remark != self._remark:
            alone = now.current is not None and not now.beside
            self._write(f"{now.current.move.club}: {now.remark}" if alone and now.current else now.remark)
        self._remark = now.remark
        if stopping and not self._stopping:
            self._stopping = True
            self._write("Pausing at the next safe point …")
        if self._cadence.due(now.elapsed_s) and len(now.ended) < now.moves:
            self._write(standing_line(now))
            if now.slowed is not None:
                self._write(f"  {slowed_text(now.slowed)}")

    def tell(self, one: Ended) -> None:
        """Write what became of a move, unless there are too many."""
        if self._shown < _MOST_ENDED or one.move.block_ms is None:
            self._write(move_text(one.move))
            self._shown += 1
            if self._shown == _MOST_ENDED:
                self._write("… further clubs are counted only; dbz shard status names them all")

    def _write(self, text: str) -> None:
        self._stream.write(clean(text) + "\n")
        self._stream.flush()


class MoveLines:
    """Lines of JSON, schema `dbz.shard-progress/1`, as often as lines of text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._cadence = Cadence()

    def update(self, now: MoveStanding, *, stopping: bool) -> None:
        """Write a line when it is due."""
        if self._cadence.due(now.elapsed_s):
            self._stream.write(json.dumps({**standing_document(now), "pausing": stopping}) + "\n")
            self._stream.flush()


def moves_screen(now: MoveStanding, console: Console, *, stopping: bool) -> RenderableType:
    """Everything on one screen; the moves that have ended are cut when it is too low."""
    room = max(console.height - _FIXED_LINES, 1)
    share = now.bytes_done / now.bytes_total if now.bytes_total else now.done / now.moves if now.moves else 1.0
    parts: list[RenderableType] = [
        _cut(f"Moving {now.moves:,} club{'' if now.moves == 1 else 's'} between shards", "bold"),
        Text(),
        _bar("in all", min(share, 1.0), total_text(now), console),
    ]
    parts += [Text(), *_current(now.current, now.copy_bytes_per_s, console)] if now.current else []
    beside = now.beside[: max(room - 1, 0)]
    parts += [_beside(one, console) for one in beside]
    room = max(room - len(beside), 1)
    if now.slowed is not None:
        parts.append(_cut(slowed_text(now.slowed), "yellow"))
    if now.remark:
        parts.append(_cut(now.remark, "yellow"))
    parts.append(Text())
    parts += [_ended(one) for one in now.ended[-room:]]
    last = "Pausing at the next safe point …" if stopping else "Ctrl-C pauses; dbz shard rebalance goes on from there."
    parts.append(_cut(last, "bold yellow" if stopping else "dim"))
    return Padding(Group(*parts), (1, 2))


def _current(one: Current, bytes_per_s: float | None, console: Console) -> list[RenderableType]:
    move = one.move
    where = f"{move.id:<{_LABEL}}{move.club}, {move.source} → {move.target}"
    return [
        _cut(where, "bold"),
        _bar(str(one.phase), share_of(one), ", ".join(move_texts(one, bytes_per_s)), console),
        Text.assemble((f"{'lag':<{_LABEL}}", "dim"), lag_text(one), no_wrap=True, overflow="ellipsis"),
    ]


def _beside(one: Current, console: Console) -> Text:
    """A move that runs beside the first one, on a line."""
    texts = [f"{one.move.club}, {one.move.source} → {one.move.target}", str(one.phase), *move_texts(one, None)]
    return _bar(one.move.id, None, "; ".join(texts), console)


def _bar(label: str, share: float | None, text: str, console: Console) -> Text:
    """A label, a bar where something is measured, and words; one line whatever the width is."""
    glyphs = glyphs_for(console)
    width = 0 if share is None else max(0, min(_BAR, console.width - len(text) - _LABEL - 6))
    full = round(width * (share or 0.0))
    bar = ((glyphs.full * full, "cyan"), (glyphs.empty * (width - full), "dim"), "  " if width else "")
    return Text.assemble((f"{label:<{_LABEL}}", "cyan"), *bar, clean(text), no_wrap=True, overflow="ellipsis")


def _ended(one: Ended) -> Text:
    return _cut(move_text(one.move), "" if one.move.block_ms is not None else "red")


def _cut(text: str, style: str = "") -> Text:
    return Text(clean(text), style, no_wrap=True, overflow="ellipsis")


def _print_ended(ended: tuple[Ended, ...], stream: TextIO) -> None:
    """What the screen showed is gone with it: say again what became of the moves."""
    lines = TextLines(stream)
    for one in ended:
        lines.tell(one)
