"""Where a worker's record goes: to files of the run's folder, or to the master that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gevent.event import Event

from dbz.measure.latency import interval_log
from dbz.measure.latency.interval_log import Interval
from dbz.runs.past.segments import file_name, segment_at
from dbz.runs.storage.record import IntervalFile, LineFile

RECORD_MESSAGE = "dbz_record"
_ACKNOWLEDGED_WITHIN_S = 3.0


class Sink(Protocol):
    """Takes the record of one worker, second by second."""

    def write(self, intervals: Iterable[Interval], line: Mapping[str, Any]) -> None:
        """Keep the histograms of a second and the line that belongs to them."""

    def close(self) -> None:
        """Nothing more will come."""


class FileSink:
    """Keeps the record in the run's folder, in segments."""

    def __init__(self, folder: Path, worker: int, started_epoch_s: float) -> None:
        self._folder, self._worker, self._started_epoch_s = folder, worker, started_epoch_s
        self._segment = 0
        self._intervals, self._lines = self._opened(0)

    def _opened(self, segment: int) -> tuple[IntervalFile, LineFile]:
        intervals = IntervalFile(self._folder / file_name(self._worker, segment, ".hlog"), self._started_epoch_s)
        return intervals, LineFile(self._folder / file_name(self._worker, segment, ".jsonl"))

    def write(self, intervals: Iterable[Interval], line: Mapping[str, Any]) -> None:
        """Append to the files; `OSError` when the disk is full."""
        segment = segment_at(line["t"])
        if segment > self._segment:
            new = self._opened(segment)
            # Nothing is written to a segment after a later one was begun: what it holds may then be put together.
            self.close()
            self._segment, (self._intervals, self._lines) = segment, new
        self._intervals.write(intervals)
        self._lines.write(line)

    def close(self) -> None:
        """Close the files."""
        self._intervals.close()
        self._lines.close()


class MasterSink:
    """Sends the record to the master over Locust's own connection; `ticket` shows that the number was handed out to
    this worker.
    """

    def __init__(self, worker: int, ticket: str) -> None:
        self._origin = {"worker": worker, "ticket": ticket}
        self._send: Callable[[str, dict[str, Any]], None] = lambda _kind, _data: None
        self.acknowledged = Event()

    def send_by(self, send: Callable[[str, dict[str, Any]], None]) -> None:
        """The runner's `send_message`, once there is a runner."""
        self._send = send

    def write(self, intervals: Iterable[Interval], line: Mapping[str, Any]) -> None:
        """Send one second, encoded as it will stand in the file: histograms merge without loss wherever they are."""
        lines = [interval_log.line(interval) for interval in intervals]
        self._send(RECORD_MESSAGE, {**self._origin, "intervals": lines, "line": dict(line)})

    def close(self) -> None:
        """Say that this was all, and wait until the master has it: it knows a lost worker by what is missing."""
        self._send(RECORD_MESSAGE, {**self._origin, "last": True})
        self.acknowledged.wait(_ACKNOWLEDGED_WITHIN_S)
