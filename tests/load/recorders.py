"""Real recorders on real files, for tests of what records."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbz.load.generator.recorder import Recorder


@contextmanager
def recorder_in(folder: Path) -> Iterator[Recorder]:
    """A recorder of worker 0 whose run begins now."""
    recorder = Recorder(folder, 0, time.monotonic(), time.time())
    try:
        yield recorder
    finally:
        recorder.close()
