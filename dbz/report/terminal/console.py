"""Consoles, and text that cannot harm them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme

from dbz.printable import printable, without_steering

_WIDTH_OF_FILES = 10_000
"""Columns where nobody sees columns: in a file or a pipe nothing is cut, and nothing is wrapped."""
_COLOURS = {"red": 160, "green": 28, "yellow": 130, "cyan": 31}
"""The names of colours that reports use, in the fixed palette of 256. Of the 16 that themes choose, yellow can often
not be read on white; each of these has a contrast of about four to black and to white."""
THEME = Theme(
    {name: f"color({number})" for name, number in _COLOURS.items()}
    | {f"bold {name}": f"bold color({number})" for name, number in _COLOURS.items()}
    | {f"badge {name}": f"bold color(231) on color({number})" for name, number in _COLOURS.items()},
)
_FEW_COLOURS = Theme({f"badge {name}": f"bold reverse {name}" for name in _COLOURS})


@dataclass(frozen=True)
class Glyphs:
    """The signs of a report; the plain ones are for terminals that know ASCII only."""

    good: str
    bad: str
    missing: str
    unsure: str
    full: str
    empty: str


FANCY = Glyphs("✓", "✗", "–", "≈", "━", "─")
PLAIN = Glyphs("+", "X", "-", "~", "#", ".")


class _HarmlessConsole(Console):
    """A console whose only control codes are its own: whatever text is put into it, from whatever place."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(
            segment if segment.control else segment._replace(text=without_steering(segment.text)) for segment in buffer
        )


def make_console(stream: TextIO, *, width: int | None = None) -> Console:
    """A console on a stream; colours only on a terminal without NO_COLOR, and no failure on any character."""
    if isinstance(stream, io.TextIOWrapper) and not _speaks_unicode(stream):
        stream.reconfigure(errors="replace")
    # The command's own streams let no control code pass; those of the console are wanted.
    file = getattr(stream, "steerable", stream)
    console = _HarmlessConsole(file=file, width=width, highlight=False, emoji=False, markup=False)
    console.push_theme(_FEW_COLOURS if console.color_system == "standard" else THEME)
    if width is None and not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OF_FILES
    return console


def indented(body: RenderableType) -> Group:
    """Something two columns further right, not filled up to the edge of the screen, nor parts up to the widest one."""
    parts = body.renderables if isinstance(body, Group) else [body]
    return Group(*(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))


def framed(text: Text, style: str, console: Console) -> Panel:
    """The head of a report; in a file the frame is as wide as its text."""
    return Panel(text, box=box.ROUNDED, border_style=style, padding=(0, 1), expand=console.width < _WIDTH_OF_FILES)


def glyphs_for(console: Console) -> Glyphs:
    """The signs that a console can show."""
    return FANCY if console.encoding.startswith("utf") else PLAIN


def clean(text: str) -> str:
    """Text from outside on one line, without the control characters that would steer a terminal."""
    return printable(text)


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().startswith("utf")
