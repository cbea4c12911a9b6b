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
ERROR, EXIT_CODE, ENDED_ITSELF = "error", "exit_code", "ended_itself"
"""Marks: code of the scenario failed where no worker records it; it set an exit code; it ended the run."""
LEVEL = "level"
"""Mark: so many `users` as were ordered while the run goes on are there."""
SETUP_UNTIL, TEARDOWN_UNTIL = "setup_until", "teardown_until"
"""Marks: by when setup (or teardown) will have ended; once it has, when that was."""
SETUP_NAME, TEARDOWN_NAME = "setup", "teardown"
"""What an error of them is called."""


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
        """Append one line; half an emoji, which is no text, becomes its number. `OSError` when the disk is full."""
        try:
            text = orjson.dumps(line)
        except TypeError:
            text = orjson.dumps(_encodable(line))
        self._append(text + b"\n")


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


def _encodable(value: Any) -> Any:
    """Plain data whose texts all are text: JSON from a server may hold lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list | tuple) else value
