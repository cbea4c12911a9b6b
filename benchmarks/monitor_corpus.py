"""Series whose changes are known: steps, ramps, spikes, lines and days, in correlated noise."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

CORRELATIONS = (0.0, 0.3, 0.6, 0.8)
HOURS = 168
"""Of a series: a week, a value an hour."""
_RAMP = 16
_TOLERANCE = 4
"""So many values beside a change still count as found."""


@dataclass(frozen=True)
class Labelled:
    """A series and what is in it."""

    kind: str
    correlation: float
    values: list[float]
    changes: list[tuple[int, int]]
    """The first and the last index at which a change counts as found."""

    def judge(self, found: list[int]) -> tuple[int, int, int]:
        """Right detections, wrong ones, and changes that were not found; several within one change count once."""
        hit = {change for change in self.changes for at in found if self._within(at, change)}
        wrong = sum(not any(self._within(at, change) for change in self.changes) for at in found)
        return len(hit), wrong, len(self.changes) - len(hit)

    @staticmethod
    def _within(at: int, change: tuple[int, int]) -> bool:
        return change[0] - _TOLERANCE <= at <= change[1] + _TOLERANCE


def noise(chance: random.Random, count: int, correlation: float) -> list[float]:
    """AR(1) noise of standard deviation 1."""
    values, value = [], chance.gauss(0, 1)
    for _ in range(count):
        values.append(value)
        value = correlation * value + chance.gauss(0, 1) * math.sqrt(1 - correlation**2)
    return values


def corpus(each: int, seed: int) -> Iterator[Labelled]:
    """So many series of every kind and correlation."""
    chance = random.Random(seed)
    for correlation in CORRELATIONS:
        for _ in range(each):
            yield from _kinds(chance, correlation)


def _kinds(chance: random.Random, correlation: float) -> Iterator[Labelled]:
    def made(kind: str, shape: list[float], *changes: tuple[int, int]) -> Labelled:
        base = noise(chance, HOURS, correlation)
        values = [100 + 5 * (level + value) for level, value in zip(shape, base, strict=True)]
        return Labelled(kind, correlation, values, list(changes))

    first, second = chance.randint(35, 65), chance.randint(100, 130)
    size = chance.choice((2.5, 4.0, 6.0)) * chance.choice((-1, 1))
    hours = range(HOURS)
    yield made("flat", [0.0] * HOURS)
    yield made("line", [6.0 * at / HOURS for at in hours])
    yield made("step", [size if at >= first else 0.0 for at in hours], (first, first))
    there_and_back = [size if first <= at < second else 0.0 for at in hours]
    yield made("two steps", there_and_back, (first, first), (second, second))
    ramp = [size * min(max(at - first, 0) / _RAMP, 1.0) for at in hours]
    yield made("ramp", ramp, (first, first + _RAMP))
    spikes = [0.0] * HOURS
    for at in chance.sample(range(5, HOURS - 5), 4):
        spikes[at] = chance.choice((-1, 1)) * chance.uniform(8, 20)
    yield made("spikes", spikes)
    yield made("step and spikes", [a + b for a, b in zip(spikes, there_and_back, strict=True)],
               (first, first), (second, second))  # fmt: skip
    day = [3 * math.sin(at / 24 * 2 * math.pi) for at in hours]
    yield made("day", day)
    yield made("day and step", [a + (size if at >= second else 0.0) for at, a in enumerate(day)], (second, second))
