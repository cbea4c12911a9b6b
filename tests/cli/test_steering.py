"""No text from a file, a store or a server steers the terminal that it is printed on."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from dbz.cli.streams import HarmlessText
from dbz.printable import no_formula, printable, without_steering
from dbz.report.terminal.console import make_console
from dbz.report.words.rehearsal import RehearsalLines
from tests.cli.running import DBZ
from tests.report.hostile import hostile_run

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What our own consoles send: colours, and nothing else."""
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
EVIL = st.text(
    st.one_of(st.sampled_from("\x00\x07\x08\t\r\n\x1b\x9b\x7f\u202e\u2066\u2028\ufeff[]2J;m"), st.characters()),
    max_size=60,
)


class Terminal:
    """A terminal whose bytes can be read, with one of the command's own streams on it."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.stream = HarmlessText(self.bytes, encoding="utf-8", errors="replace", newline="\n", write_through=True)

    @property
    def text(self) -> str:
        return self.bytes.getvalue().decode()


def printed(terminal: Terminal, evil: str) -> None:
    terminal.stream.write(evil)


def drawn(terminal: Terminal, evil: str) -> None:
    console = make_console(terminal.stream, width=60)
    console._force_terminal = True
    table = Table(evil, title=evil)
    table.add_row(Text(evil, style="bold red"))
    console.print(table)
    console.print(evil)


@pytest.mark.parametrize("show", [printed, drawn])
@given(evil=EVIL)
def test_whatever_is_printed_steers_nothing(show: Callable[[Terminal, str], None], evil: str) -> None:
    terminal = Terminal()
    show(terminal, evil)
    text = terminal.text
    assert not STEERING.search(COLOURS.sub("", text) if show is drawn else text)


@given(EVIL)
def test_what_a_server_answers_to_a_rehearsal_is_on_one_line_and_harmless(evil: str) -> None:
    told = {
        "what": "http", "user": "U", "operation": evil, "url": evil, "sent_headers": {"content-type": evil},
        "sent": evil, "status": 200, "headers": {"location": evil}, "body": evil, "error": evil,
        "bytes": 1, "ms": 1.0, "parts": {},
    }  # fmt: skip
    lines = RehearsalLines(full=True)
    shown = [*lines.lines(told), *lines.lines({"what": "raised", "user": "U", "task": "t", "error": evil, "line": ""})]
    assert not any(STEERING.search(line) or "\n" in line for line in [*shown, *lines.summary()])


@given(EVIL)
def test_a_cell_of_a_table_is_no_formula(evil: str) -> None:
    for sign in ("", "=", "+", "-", "@", "\t=", "\r", " ="):
        cell = no_formula(sign + evil)
        assert not re.match(r"\s*[=+\-@]", cell) and not STEERING.search(cell)


def test_what_people_write_stays_as_it_is() -> None:
    text = "Räume 日本 \u05e9\u05dc\u05d5\u05dd 👩\u200d👩\u200d👧 e\u0301\ttab\nline"
    assert without_steering(text) == text
    assert printable("Räume 日本 \u05e9\u05dc\u05d5\u05dd") == "Räume 日本 \u05e9\u05dc\u05d5\u05dd"


def test_a_hostile_run_on_a_real_terminal(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*DBZ, "report", "show", "--reports", str(tmp_path)], stdout=theirs, stderr=theirs, stdin=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        process.wait(60)
    os.close(ours)
    text = shown.decode().replace("\r\n", "\n")
    assert "\x1b[" in text and "boom" in text
    assert not STEERING.search(COLOURS.sub("", text))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""
