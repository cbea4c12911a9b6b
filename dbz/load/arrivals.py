"""When the arrivals of an open load begin: pure functions of the rate and of who asks."""

from __future__ import annotations

import math
from collections.abc import Iterator


def even_arrivals(rate_per_s: float, worker: int, workers: int) -> Iterator[float]:
    """Intended starts in seconds, without end: evenly spaced, interleaved among the workers."""
    spacing_s = 1 / rate_per_s
    number = worker
    while True:
        yield number * spacing_s
        number += workers


def count_before(rate_per_s: float, worker: int, workers: int, end_s: float) -> int:
    """How many arrivals of `even_arrivals` are due before `end_s`."""
    return max(0, math.ceil((end_s * rate_per_s - worker) / workers))
