"""The lines of access logs as they are read, in the order of their times: never more than a few thousand at a time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbz.bring.files.logs.line import LogLine
from dbz.bring.files.logs.reading import KNOWN_LOGS, LogReader
from dbz.bring.files.unpacking import log_lines, unpacked
from dbz.errors import UsageError
from dbz.units import counted

_WAITING = 20_000
"""So many lines wait, in all files together, for one with an earlier time: servers write a line when they are done."""
_FEWEST_WAITING = 100
_NAMED = 5
_LATEST_S = 1e11
"""Times beyond, in seconds since 1970, are none."""


@dataclass
class FileLines:
    """What became of the lines of one file."""

    path: Path
    read: int = 0
    broken: int = 0
    first_broken: list[int] = field(default_factory=list)
    """The numbers of the first broken lines."""

    def note(self) -> str:
        """What is to be said of broken lines; empty when there is none."""
        if not self.broken:
            return ""
        numbers = ", ".join(f"{number:,}" for number in self.first_broken)
        more = ", …" if self.broken > len(self.first_broken) else ""
        return (
            f"{self.path.name}: {self.broken:,} of {counted(self.read + self.broken, 'line')} cannot be read, "
            f"and are left out: {'line' if self.broken == 1 else 'lines'} {numbers}{more}"
        )

    def refuse_unusable(self) -> None:
        """`UsageError` when there is no line, or more than half of them are broken."""
        if not self.read + self.broken:
            raise UsageError(f"{self.path} is empty", code="B002")
        if self.broken <= self.read:
            return
        what = f"{self.broken:,} of {counted(self.read + self.broken, 'line')} are of no access log"
        if not self.read:
            what = "no line is of an access log"
        raise UsageError(
            f"{self.path}:{self.first_broken[0]}: {what} that dbz knows and has a time (known: {KNOWN_LOGS})",
            hint="--model learns from access logs",
            code="B001",
        )


class AccessLogs:
    """The lines of one log in several files; each pass reads them again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.files: list[FileLines] = []
        """What the last pass found."""

    def lines(self) -> Iterator[LogLine]:
        """All lines in the order of their times; `UsageError` when a file cannot be read, or most of its lines."""
        self.files = [FileLines(path) for path in self._paths]
        waiting = max(_WAITING // len(self.files), _FEWEST_WAITING)
        streams = [_in_order(_lines_of(one), waiting) for one in self.files]
        yield from heapq.merge(*streams, key=lambda line: line.exchange.started_s)


def _lines_of(found: FileLines) -> Iterator[LogLine]:
    reader = LogReader()
    with unpacked(found.path) as file:
        for number, text in enumerate(log_lines(file, found.path), 1):
            if text is not None and (not text or reader.is_remark(text)):
                continue
            line = reader.line(text) if text else None
            if line is not None and 0 < line.exchange.started_s < _LATEST_S:
                found.read += 1
                yield line
            else:
                found.broken += 1
                if len(found.first_broken) < _NAMED:
                    found.first_broken.append(number)
    found.refuse_unusable()


def _in_order(lines: Iterator[LogLine], waiting: int) -> Iterator[LogLine]:
    """The lines by their times, where none is more than so many lines late."""
    held = [(line.exchange.started_s, number, line) for number, line in enumerate(itertools.islice(lines, waiting))]
    heapq.heapify(held)
    for number, line in enumerate(lines, len(held)):
        yield heapq.heappushpop(held, (line.exchange.started_s, number, line))[2]
    while held:
        yield heapq.heappop(held)[2]
