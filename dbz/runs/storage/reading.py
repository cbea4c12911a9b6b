"""Reading a record back, whole or while it is still being written."""

from __future__ import annotations

import gc
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import orjson

from dbz.measure.latency import interval_log
from dbz.measure.latency.interval_log import Interval
from dbz.runs.pages import interval_of
from dbz.runs.past.segments import complete, origin_of
from dbz.runs.past.store import Past, read_part, read_past
from dbz.runs.schema import Window
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.record import END, ERROR, EXIT_CODE, LEVEL, LOST_WORKERS, STEADY
from dbz.runs.storage.sound_lines import MACHINE, MARK, SERVER, VISIT, WORKER, is_sound
from dbz.runs.storage.tail import RecordTail

Row = TypeVar("Row")
_FORGET_EVERY_S = 60.0
"""Letting go of rows moves those that stay, so it is not done each time."""


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
    answered: set[int] = field(default_factory=set)
    """The seconds of the older part, whose seconds were put together, in which an attempt ended."""
    span_s: int = 1
    """How long the spans are into which that part was put together; 1 where there is none."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """How many of the oldest rows are no longer here, by what they are: `intervals`, `server`, or a worker."""

    def since(self, name: str, rows: Sequence[Row], seen: int) -> Sequence[Row]:
        """Rows of this record, called `name` in `forgotten`, without the first `seen` of all that there were."""
        return rows[max(seen - self.forgotten[name], 0) :]

    def count(self, name: str, rows: Sequence[Any]) -> int:
        """How many of these rows there were in all."""
        return self.forgotten[name] + len(rows)

    @property
    def last_s(self) -> float:
        """The latest second that any worker wrote about."""
        return max((lines[-1]["t"] for lines in self.workers.values() if lines), default=0.0)

    @property
    def window(self) -> Window:
        """The judged part; empty when the run ended in its warm-up."""
        end = self.marks.get(END, self.last_s)
        if self.workers and all(map(has_left, self.workers.values())):
            end = min(end, self.last_s)  # the master hears of it later
        return Window(start_s=min(self.marks.get(STEADY, end), end), end_s=end)


def has_left(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the scenario ended the worker that wrote these lines."""
    return any(line.get("left") for line in lines[-3:])


class RecordReader:
    """Follows the files of a run; each `poll` adds what is new to `record`.

    With `keep_s` rows are forgotten that are older than so many seconds: who follows a run needs the last ones only.
    `past` is what stands for segments of workers, where that is not what the folder itself says.
    """

    def __init__(self, folder: RunFolder, keep_s: float = math.inf, past: Past | None = None) -> None:
        self._folder = folder
        self._keep_s = keep_s
        self._forgotten_s = 0.0
        self._tails: dict[Path, RecordTail] = {}
        self._read: set[Path] = set()
        self.past = past
        """What of the record was put together when it was first read; None before that."""
        self.record = Record()
        if past is not None:
            self._add_past(past)

    def poll(self) -> Record:
        """Read what was written since the last call."""
        record = self.record
        if self.past is None:
            self.past = read_past(self._folder.path)
            self._add_past(self.past)
        self._poll_segments()
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
        if record.last_s - self._keep_s > self._forgotten_s + _FORGET_EVERY_S:
            self._forget(record.last_s - self._keep_s)
        return record

    def _poll_segments(self) -> None:
        logs, lines = self._unread(self._folder.worker_logs()), self._unread(self._folder.worker_lines())
        for path in logs:
            for text in self._tail(path).new_lines():
                self._add_interval(text)
        for path in lines:
            self.record.workers.setdefault(origin_of(path)[0], []).extend(self._lines(path, WORKER))
        for path in complete((*logs, *lines)):
            self._read.add(path)
            self._tails.pop(path, None)

    def _unread(self, paths: Sequence[Path]) -> list[Path]:
        """The files that may hold something new."""
        return [path for path in paths if path not in self._read and not (self.past and self.past.has(path))]

    def _add_past(self, past: Past) -> None:
        record = self.record
        record.span_s = past.span_s
        for number in sorted(past.parts):
            try:
                stretch = read_part(self._folder.path, past.parts[number])
            except FileNotFoundError:
                if read_past(self._folder.path) != past:
                    raise
                record.damaged_lines += 1
                continue
            record.intervals += stretch.intervals
            record.answered |= stretch.answered
            record.damaged_lines += stretch.damaged_lines
            for worker, lines in stretch.lines.items():
                record.workers.setdefault(worker, []).extend(lines)

    def _forget(self, before_s: float) -> None:
        """Let go of the oldest rows; the last line of each worker stays, by which one sees how far it is."""
        self._forgotten_s, record = before_s, self.record
        old = sum(1 for _ in takewhile(lambda one: one.start_s + one.length_s < before_s, record.intervals))
        self._let_go("intervals", record.intervals, old)
        named = {**record.workers, "server": record.server, "machine": record.machine}
        for name, lines in named.items():
            self._let_go(name, lines, min(bisect_left(lines, before_s, key=lambda line: line["t"]), len(lines) - 1))

    def _let_go(self, name: str, rows: list[Any], count: int) -> None:
        if count > 0:
            del rows[:count]
            self.record.forgotten[name] += count

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


@contextmanager
def without_collections() -> Iterator[None]:
    """While a whole record is read, all of which stays: looking for garbage in it takes a sixth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_record(folder: RunFolder) -> Record:
    """The whole record of a run."""
    while True:
        reader = RecordReader(folder)
        with suppress(FileNotFoundError), without_collections():
            record = reader.poll()
            # What was put together meanwhile may have been missed as seconds, and not been there as a part.
            if read_past(folder.path) == reader.past:
                return record
