"""Readings of one series, put together: how many there were, their sum, the lowest, the highest and the last.

Of these, means and peaks of any longer time come out exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

DIGITS = 6
"""Significant digits that are kept of a reading."""
MINUTE_S, HOUR_S = 60, 3600
_MOST_DIGITS = 15
"""Between the first digit of the largest number of a column and the last that is kept of the others."""

Sample = tuple[int, float]
"""When it was read, in whole seconds since the epoch, and the value."""


class Rollup(NamedTuple):
    """Readings of a series between `t` and the next roll-up; one alone is a reading itself."""

    t: int
    """The beginning, in seconds since the epoch."""
    readings: int
    total: float
    low: float
    high: float
    last: float

    @property
    def mean(self) -> float:
        """The mean of the readings."""
        return self.total / self.readings


def single(sample: Sample) -> Rollup:
    """A reading as a roll-up of its own."""
    t, value = sample
    return Rollup(t, 1, value, value, value, value)


def rolled(rollups: Iterable[Rollup], step_s: int) -> list[Rollup]:
    """Roll-ups of a longer step, out of those of a shorter one in order of time; steps begin at multiples of it."""
    return [
        _joined(t, list(group)) for t, group in itertools.groupby(rollups, key=lambda one: one.t // step_s * step_s)
    ]


def _joined(t: int, group: Sequence[Rollup]) -> Rollup:
    if len(group) == 1:
        return group[0]._replace(t=t)
    return Rollup(
        t,
        sum(one.readings for one in group),
        sum(one.total for one in group),
        min(one.low for one in group),
        max(one.high for one in group),
        group[-1].last,
    )


def whole_numbers(values: Sequence[float]) -> tuple[int, list[int]]:
    """A power of ten, and the whole numbers that times it are the values, to `DIGITS` digits of each."""
    parts = [_digits_of(value) for value in values]
    others = [part for part in parts if part[0]] or [(0, 0)]
    power = min(power for _, power in others)
    power = max(power, max(own + len(str(abs(digits))) for digits, own in others) - _MOST_DIGITS)
    return power, [
        digits * 10 ** (own - power) if own >= power else round(digits / 10 ** (power - own)) for digits, own in parts
    ]


def _digits_of(value: float) -> tuple[int, int]:
    """A value as a whole number without zeros at its end, and the power of ten that belongs to it."""
    shown, _, power = f"{value:.{DIGITS - 1}e}".partition("e")
    front, _, behind = shown.partition(".")
    behind = behind.rstrip("0")
    return int(front + behind), int(power) - len(behind)


def scaled(numbers: Iterable[float], power: int) -> list[float]:
    """Whole numbers times a power of ten, each rounded once."""
    factor = 10 ** abs(power)
    return [float(number * factor) for number in numbers] if power >= 0 else [number / factor for number in numbers]
