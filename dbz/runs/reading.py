"""Reading a record back, whole or while it is still being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dbz.measure.latency import interval_log
from dbz.measure.latency.interval_log import Interval
from dbz.runs.folder import RunFolder
from dbz.runs.pages import interval_of
from dbz.runs.record import END, ERROR, EXIT_CODE, LEVEL, LOST_WORKERS, STEADY
from dbz.runs.schema import Window
from dbz.runs.sound_lines import MACHINE, MARK, SERVER, VISIT, WORKER, is_sound
from dbz.runs.tail import RecordTail


@dataclass
class Record:
    """Everything that was written of a run so far."""

    intervals: list[Interval] = field(default_factory=list)
    workers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    server: list[dict[str, Any]] = field(default_factory=list)
    machine: list[dict[str, Any]] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    """Visits of pages by a browser, which stand among the intervals too."""
    marks: dict[str, float] = field(default_factory=dict)
    levels: int = 0
    """How many numbers of users that were ordered while the run went on have been reached."""
    lost_workers: int = 0
    damaged_lines: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Marks of code of the scenario that failed in a process that records nothing: `t`, `kind`, `name`, `error`."""
    exit_codes: list[int] = field(default_factory=list)
    """What listeners set `environment.process_exit_code` to, in each process that said so."""

    @property
    def last_s(self) -> float:
        """The latest second that any worker wrote about."""
        return max((lines[-1]["t"] for lines in self.workers.values() if lines), default=0.0)

    @property
    def window(self) -> Window:
        """The judged part; empty when the run ended in its warm-up."""
        end = self.marks.get(END, self.last_s)
        return Window(start_s=min(self.marks.get(STEADY, end), end), end_s=end)


class RecordReader:
    """Follows the files of a run; each `poll` adds what is new to `record`."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._tails: dict[Path, RecordTail] = {}
        self.record = Record()

    def poll(self) -> Record:
        """Read what was written since the last call."""
        record = self.record
        for path in self._folder.worker_logs():
            for text in self._tail(path).new_lines():
                self._add_interval(text)
        for path in self._folder.worker_lines():
            record.workers.setdefault(path.stem, []).extend(self._lines(path, WORKER))
        record.server.extend(self._lines(self._folder.server, SERVER))
        record.machine.extend(self._lines(self._folder.machine, MACHINE))
        for line in self._lines(self._folder.pages, VISIT):
            record.pages.append(line)
            if (interval := interval_of(line)) is not None:
                record.intervals.append(interval)
        for mark in self._lines(self._folder.marks, MARK):
            record.marks[mark["mark"]] = mark["t"]
            if mark["mark"] == ERROR:
                record.errors.append(mark)
            elif mark["mark"] == EXIT_CODE:
                record.exit_codes.append(mark["code"])
            record.levels += mark["mark"] == LEVEL
            record.lost_workers += mark.get("count", 0) if mark["mark"] == LOST_WORKERS else 0
        return record

    def _tail(self, path: Path) -> RecordTail:
        return self._tails.setdefault(path, RecordTail(path))

    def _lines(self, path: Path, kind: str) -> Iterator[dict[str, Any]]:
        for text in self._tail(path).new_lines():
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                line = None
            if is_sound(line, kind):
                yield line
            else:
                self.record.damaged_lines += 1

    def _add_interval(self, text: str) -> None:
        try:
            interval = interval_log.parse(text)
        except ValueError:
            self.record.damaged_lines += 1
            return
        if interval is not None:
            self.record.intervals.append(interval)


def read_record(folder: RunFolder) -> Record:
    """The whole record of a run."""
    return RecordReader(folder).poll()
