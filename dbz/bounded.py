"""Reading files within limits: the one place that says how large, how deep and how long what is read may be.

A file that is refused has cost little: its size is looked at before it is read, the values of a JSON text are counted
before any is made, and lines are read one after the other, each of bounded length. Pipes and devices are never opened.
"""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dbz.errors import UsageError

KB, MB = 1000, 1_000_000
MAX_DEPTH = 200
"""How deep the lists and objects of a JSON document of dbz, or of another tool's results, may lie within each other."""
MAX_VALUES = 1_000_000
"""How many signs that begin or part values (`{`, `[`, `,`, `:`) a JSON text may have: what comes of them has 100 MB."""
MAX_CELLS = 600_000
"""Of a CSV that is read as a whole: a month of two columns every ten seconds."""
_CODE = "E026"
_SIGNS = (b",", b":", b"[", b"{")
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Nothing is tried twice, and a text without an end is one to the end: no content costs more than one pass."""


@dataclass(frozen=True)
class ReadLimit:
    """How large a file of one kind may be."""

    what: str
    """What such a file is called, like `a configuration`."""
    most_bytes: int


CONFIGURATION = ReadLimit("a configuration", 512 * KB)
"""Far more than people write, and read within seconds."""
DOCUMENT = ReadLimit("a document of dbz", 24 * MB)
RESULTS = ReadLimit("a file of results", 24 * MB)
SERIES = ReadLimit("an answer with series", 24 * MB)
TRACE = ReadLimit("a recorded load", 24 * MB)
"""31 days by the second."""
SCENARIO = ReadLimit("a scenario", 4 * MB)
RECORDING = ReadLimit("a recording", 512 * MB)
"""Unpacked. Of a HAR most are bodies, which are kept as they are."""
ROWS = ReadLimit("a file of rows for users", 256 * MB)

LONGEST_LINE = 1 << 20
"""Of a file that is read line by line, in bytes."""


def fault_of(path: Path) -> str:
    """Why a path is not that of a file, for the end of a sentence about it; empty when it is.

    A pipe would be waited for, and a device has no end: neither is ever opened.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is a pipe or a device"


def check_size(path: Path, limit: ReadLimit) -> None:
    """`UsageError` when a file is larger than allowed; it is not opened, and may be missing."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        return
    if size > limit.most_bytes:
        raise UsageError(
            f"{path} is not read: it has {_size(size)}, and {limit.what} may have {_size(limit.most_bytes)}", code=_CODE
        )


def read_within(path: Path, limit: ReadLimit) -> bytes:
    """The content of a regular file. `UsageError` when it is larger than allowed, `OSError` when it cannot be read."""
    if (fault := fault_of(path)) and path.exists() and not path.is_dir():
        raise OSError(0, f"it {fault}")
    check_size(path, limit)
    with path.open("rb") as file:
        return rest_within(file, str(path), limit)  # it may grow, or not tell its size


def rest_within(file: BinaryIO, origin: str, limit: ReadLimit) -> bytes:
    """What is left of a file. `UsageError`, which calls it `origin`, when that is more than allowed.

    Piece by piece: a single read would ask the system for as much memory as is allowed, however little there is.
    """
    content = io.BytesIO()
    while piece := file.read(MB):
        if content.tell() + len(piece) > limit.most_bytes:
            raise too_large(origin, limit)
        content.write(piece)
    return content.getvalue()


def too_large(origin: str, limit: ReadLimit) -> UsageError:
    """The error about a content whose size shows only while it is read."""
    return UsageError(
        f"{origin} is not read: it has more than the {_size(limit.most_bytes)} that {limit.what} may have", code=_CODE
    )


def lines_within(file: BinaryIO, origin: str, longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """The lines of a file, each with its end; `UsageError` names the first that is longer than allowed."""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise UsageError(
                f"{origin}:{number} is not read: the line is longer than the {_size(longest)} that one may have",
                code=_CODE,
            )
        yield line


def texts_within(file: BinaryIO, origin: str, longest: int = LONGEST_LINE) -> Iterator[str]:
    """As `lines_within`, of a text in UTF-8 with or without a mark; `UnicodeDecodeError` when it is none."""
    for number, line in enumerate(lines_within(file, origin, longest)):
        yield line.decode("utf-8-sig" if not number else "utf-8")


def check_table(content: bytes, origin: str) -> None:
    """`UsageError` when a CSV that is read as a whole has more cells than allowed, or too long a line."""
    if content.count(b",") + content.count(b"\n") > MAX_CELLS:
        raise UsageError(f"{origin} is not read: it has more than {MAX_CELLS:,} cells", code=_CODE)
    for _ in lines_within(io.BytesIO(content), origin):
        pass


def parse_json(content: bytes | str, origin: str) -> Any:
    """The value of a JSON text. `UsageError` when it is larger or deeper than allowed, `ValueError` when it is none."""
    check_values(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content, origin)
    try:
        value = json.loads(content)
    except RecursionError:
        raise _too_deep(origin) from None
    _check_depth(value, origin)
    return value


def check_values(content: bytes, origin: str, most: int = MAX_VALUES) -> None:
    """`UsageError` when a JSON text has more values than allowed; those in its strings do not count."""
    if sum(map(content.count, _SIGNS)) <= most:
        return
    bare = _TEXT.sub(b"", content)
    if sum(map(bare.count, _SIGNS)) > most:
        raise UsageError(f"{origin} is not read: it has more than {most:,} values", code=_CODE)


def _check_depth(value: Any, origin: str) -> None:
    level: Iterable[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        inner = [one for one in level if isinstance(one, dict | list)]
        if not inner:
            return
        level = [part for one in inner for part in (one.values() if isinstance(one, dict) else one)]
    raise _too_deep(origin)


def _too_deep(origin: str) -> UsageError:
    return UsageError(f"{origin} is not read: it is nested more than {MAX_DEPTH} deep", code=_CODE)


def _size(count: int) -> str:
    return f"{count / MB:,.1f} MB" if count >= MB else f"{count / KB:,.0f} KB"
