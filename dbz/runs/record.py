"""Writing a record: lines that are complete or absent, flushed as they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from dbz.measure.latency import interval_log
from dbz.measure.latency.interval_log import Interval

STEADY, END, LOST_WORKERS = "steady", "end", "lost_workers"
"""Marks: the judged part began; it ended; workers of other machines were lost."""


class LineFile:
    """A file of JSON lines; each is handed to the system when it is written, so that a kill loses none of them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line."""
        self._file.write(orjson.dumps(line) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class IntervalFile:
    """An interval log that is being written."""

    def __init__(self, path: Path, started_epoch_s: float) -> None:
        self._file = path.open("ab", buffering=0)
        self._file.write(interval_log.header(started_epoch_s).encode())

    def write(self, intervals: Iterable[Interval]) -> None:
        """Append the intervals of one second, in one piece."""
        text = "".join(map(interval_log.line, intervals))
        if text:
            self._file.write(text.encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
