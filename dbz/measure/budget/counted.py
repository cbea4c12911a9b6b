"""What a scenario counted, added up without any error of rounding: it does not matter which worker counted what."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Counted:
    """A counter over a part of a run."""

    calls: int
    """How often it was counted up."""
    total: float
    """By how much in all."""
    by_second: Sequence[float] = ()
    """By how much in each second of the part."""


@dataclass
class _Tally:
    calls: int = 0
    total: Fraction = Fraction()
    by_second: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))


class CounterTally:
    """Adds up the counters in the lines of workers; a line has `counters`, by name the calls and the amount."""

    def __init__(self) -> None:
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in a line."""
        for name, (calls, amount) in line.get("counters", {}).items():
            tally = self._tallies[name]
            tally.calls += calls
            tally.total += Fraction(amount)
            tally.by_second[math.floor(line["t"] - line.get("dt", 1.0) / 2)] += amount

    def counted(self, start_s: float, end_s: float) -> dict[str, Counted]:
        """Each counter, with its amounts for the whole seconds from `start_s` to `end_s`."""
        seconds = (
            range(math.ceil(start_s), math.floor(end_s)) if math.isfinite(start_s) and math.isfinite(end_s) else ()
        )
        return {
            name: Counted(tally.calls, float(tally.total), [tally.by_second.get(second, 0.0) for second in seconds])
            for name, tally in sorted(self._tallies.items())
        }
