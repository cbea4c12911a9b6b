"""Segments of a worker's record: a short run has one, a long one a file for each minute after that.

`worker-0.hlog` holds the first ten minutes, `worker-0.00001.hlog` the minute after them, and so on. What was written
stays as it is: the older part of a run is made of whole segments, which are deleted once that has been done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

FIRST_S, LATER_S = 600, 60
"""How much of a run the first segment holds, and each that follows."""


def segment_at(moment_s: float) -> int:
    """The segment that holds what was written at a moment of the run."""
    return 0 if moment_s <= FIRST_S else math.ceil((moment_s - FIRST_S) / LATER_S)


def begins_s(segment: int) -> int:
    """When a segment begins, in seconds since the start of the run."""
    return FIRST_S + (segment - 1) * LATER_S if segment else 0


def file_name(worker: int, segment: int, suffix: str) -> str:
    """What a file of a segment is called; `suffix` is `.hlog` or `.jsonl`."""
    return f"worker-{worker}.{segment:05d}{suffix}" if segment else f"worker-{worker}{suffix}"


def origin_of(path: Path) -> tuple[str, int]:
    """Whose a file is, and which segment it holds: `worker-0` and 0."""
    worker, _, segment = path.stem.partition(".")
    return worker, int(segment) if segment.isdigit() else 0


def complete(paths: Iterable[Path]) -> list[Path]:
    """The files to which nothing is added any more, because their worker has begun a later segment."""
    every = list(paths)
    newest: dict[str, int] = {}
    for path in every:
        worker, segment = origin_of(path)
        newest[worker] = max(segment, newest.get(worker, 0))
    return [path for path in every if origin_of(path)[1] < newest[origin_of(path)[0]]]
