"""Writing a record: lines that are complete or absent, flushed as they are made."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from dbz.measure.latency import interval_log
from dbz.measure.latency.interval_log import Interval

STEADY, END, LOST_WORKERS = "steady", "end", "lost_workers"
"""Marks: the judged part began; it ended; workers of other machines were lost."""


class _GrowingFile:
    """A file that whole lines are appended to, each handed to the system at once, so that a kill loses none of them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._torn = False

    def _append(self, data: bytes) -> None:
        """`OSError` when not all of it could be written; what comes later then begins on a line of its own."""
        if self._torn:
            data = b"\n" + data
        written = self._file.write(data)
        # A disk that is almost full takes a part without a word.
        self._torn = written != len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LineFile(_GrowingFile):
    """A file of JSON lines."""

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line; `OSError` when the disk is full."""
        self._append(orjson.dumps(line) + b"\n")


class IntervalFile(_GrowingFile):
    """An interval log that is being written."""

    def __init__(self, path: Path, started_epoch_s: float) -> None:
        super().__init__(path)
        self._append(interval_log.header(started_epoch_s).encode())

    def write(self, intervals: Iterable[Interval]) -> None:
        """Append the intervals of one second, in one piece; `OSError` when the disk is full."""
        text = "".join(map(interval_log.line, intervals))
        if text:
            self._append(text.encode())
