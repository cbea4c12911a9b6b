"""When the arrivals of an open load begin: pure functions of the profile, the seed and who asks.

A target rate that changes linearly from stage to stage has a cumulative count that is a piecewise parabola. Arrivals
are the moments at which that count passes 0, 1, 2, … (even spacing), or the points of a Poisson process of rate one
mapped through its inverse (the time-change method for inhomogeneous Poisson processes; Çinlar, Introduction to
Stochastic Processes, 1975).
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Literal

from dbz.config.load.shapes import Stage

Spacing = Literal["even", "poisson"]
_SHORTEST_S = 1e-6  # a shorter stage is a jump
_SLOWEST_PER_S = 1e-9  # a slower rate is none


class Ramp:
    """A target over time: `start` until `hold_s`, then stage after stage, the last target for ever."""

    def __init__(self, start: float, hold_s: float = 0.0, stages: Sequence[Stage] = ()) -> None:
        self._starts: list[float] = []
        self._lengths: list[float] = []
        self._targets: list[tuple[float, float]] = []
        self._counts: list[float] = []
        at_s = before = 0.0
        level = start
        for stage in (Stage(start, hold_s), *stages, Stage(stages[-1].to if stages else start, math.inf)):
            if stage.over_s < _SHORTEST_S:
                level = stage.to
                continue
            self._starts.append(at_s)
            self._lengths.append(stage.over_s)
            self._targets.append((level, stage.to))
            self._counts.append(before)
            before += (level + stage.to) / 2 * stage.over_s
            at_s, level = at_s + stage.over_s, stage.to

    def at(self, time_s: float) -> float:
        """The target at a moment."""
        index = bisect_right(self._starts, time_s) - 1
        low, high = self._targets[index]
        return low + (high - low) * self._share(index, time_s - self._starts[index])

    def time_of(self, number: float) -> float:
        """The moment at which the cumulative count reaches `number`; infinite when it never does."""
        index = bisect_right(self._counts, number) - 1
        missing = number - self._counts[index]
        low, high = self._targets[index]
        if missing <= 0:
            return self._starts[index]
        slope = (high - low) / self._lengths[index]
        # missing = low t + slope t² / 2, solved in the form that does not lose digits when the slope is small.
        root = math.sqrt(max(low * low + 2 * slope * missing, 0.0))
        return self._starts[index] + 2 * missing / (low + root) if low + root > _SLOWEST_PER_S else math.inf

    def _share(self, index: int, passed_s: float) -> float:
        return min(passed_s / self._lengths[index], 1.0)


def arrival_times(ramp: Ramp, spacing: Spacing, seed: int, worker: int, workers: int) -> Iterator[float]:
    """Intended starts of one worker's arrivals in seconds, in order, without end (or until the target stays at 0).

    Evenly spaced arrivals of the workers interleave to one even schedule; Poisson processes of the workers are
    independent, so that together they are one of the whole rate.
    """
    if spacing == "even":
        numbers: Iterator[float] = (float(number) for number in count(worker, workers))
    else:
        numbers = _poisson_numbers(random.Random(f"{seed}:arrivals:{worker}"), workers)
    for number in numbers:
        at_s = ramp.time_of(number)
        if math.isinf(at_s):
            return
        yield at_s


def _poisson_numbers(source: random.Random, workers: int) -> Iterator[float]:
    total = 0.0
    while True:
        total += source.expovariate(1.0) * workers
        yield total
