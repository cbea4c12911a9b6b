"""Real recorders on real files, for tests of what records."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.sinks import FileSink


@contextmanager
def recorder_in(folder: Path) -> Iterator[Recorder]:
    """A recorder of worker 0 whose run begins now."""
    recorder = Recorder(FileSink(folder, 0, time.time()), time.monotonic())
    try:
        yield recorder
    finally:
        recorder.close()
