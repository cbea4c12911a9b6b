"""Secrets as users hand them over, and a search for them in everything that a command leaves behind."""

from __future__ import annotations

import base64
import gzip
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbz.cli.main import run

MARK = "S3CRET"
"""What every planted secret begins with."""


def secret(whose: str) -> str:
    """A secret that says whose it is."""
    return f"{MARK}-{whose}-0a1b2c"


@dataclass
class Outcome:
    """What a command said, and everything that could be seen of it."""

    words: list[str]
    code: int
    said: str
    """Both streams."""
    reached: set[str]
    """The hosts that were looked up, or connected to, by this process."""
    command_lines: list[str]
    """Those of every program that was started, with NULs between the words."""
    files: dict[str, bytes]
    """What is in its folder, in its state and among its temporary files, without what it was given."""

    def leaks(self) -> list[str]:
        """Where a secret was found, with some of the text around it."""
        places = {"output": self.said.encode(errors="surrogatepass"), **self.files}
        places |= {f"command line {number}": line.encode() for number, line in enumerate(self.command_lines)}
        return [f"{place}: {around}" for place, content in places.items() if (around := _found(content))]


def _found(content: bytes) -> str:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    for form in _FORMS:
        at = content.find(form)
        if at >= 0:
            return repr(content[max(at - 80, 0) : at + 60])
    return ""


def _encoded(text: str) -> list[bytes]:
    """Base64 of it at each of the three places where it may begin, without the characters that depend on others."""
    return [base64.b64encode(b"\0" * skipped + text.encode())[(0, 2, 3)[skipped] : -4] for skipped in range(3)]


_FORMS = [MARK.encode(), *_encoded(MARK), MARK.encode().hex().encode()]


class Place:
    """A folder of a user, with the files that were given to them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.given = folder / "given"
        self.given.mkdir()
        (folder / "tmp").mkdir()
        self.environment = {
            **environment, "DBZ_STATE_DIR": str(folder / "state"), "TMPDIR": str(folder / "tmp"), "NO_COLOR": "1",
        }  # fmt: skip

    def run(self, *words: str) -> Outcome:
        """A command in this process, as talkative as it can be."""
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.environment),
            patch("tempfile.tempdir", str(self.folder / "tmp")),
            _heard() as heard,
            redirect_stdout(stream),
            redirect_stderr(stream),
        ):
            code = run(["--verbose", "--log", "log.jsonl", *words])
        files = {str(path.relative_to(self.folder)): path.read_bytes() for path in self._made()}
        return Outcome(list(words), code or 0, stream.buffer.getvalue().decode(), heard.reached, heard.programs, files)

    def _made(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file() and self.given not in path.parents)


_LISTENING: list[_Heard] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _LISTENING:
        return
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        words = arguments[1]
        _LISTENING[-1].programs.append("\0".join(map(os.fsdecode, [words] if isinstance(words, str) else words)))
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        _LISTENING[-1].reached.add(str(arguments[1][0]))
    elif event == "socket.getaddrinfo":
        _LISTENING[-1].reached.add(str(arguments[0]))


@dataclass
class _Heard:
    """What this process did."""

    programs: list[str] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)


@contextmanager
def _heard() -> Iterator[_Heard]:
    """What this process starts and reaches within the block."""
    if not _hear.__dict__.setdefault("added", False):
        sys.addaudithook(_hear)  # it can never be taken off again
        _hear.__dict__["added"] = True
    _LISTENING.append(_Heard())
    try:
        yield _LISTENING[-1]
    finally:
        _LISTENING.pop()
