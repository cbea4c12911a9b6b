"""What whoever steers a run notes of it, beside the record of the workers: `marks.jsonl`."""

from __future__ import annotations

import time
from pathlib import Path

from dbz.load.spec import GeneratorSpec
from dbz.runs.storage.record import ERROR, LineFile


class Marks:
    """The marks of one process; several may append to the same file, each line is written at once."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self._started_s = spec.started_monotonic_s
        self._file = LineFile(Path(spec.folder) / "marks.jsonl")

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started_s

    def mark(self, what: str, at_s: float, **more: object) -> None:
        """Note that something was reached at a second of the run."""
        self._file.write({"mark": what, "t": round(at_s, 3), **more})

    def failure(self, kind: str, name: str, seconds: float, error: str) -> None:  # noqa: ARG002 a mark has no duration
        """An attempt of the scenario's code that failed in a process that has no users."""
        self.note_error(kind, name, error)

    def note_error(self, kind: str, name: str, error: str) -> None:
        """An error of the scenario's code."""
        self.mark(ERROR, self.now_s, kind=kind, name=name, error=error[:300])

    def close(self) -> None:
        """Nothing more will be noted."""
        self._file.close()
