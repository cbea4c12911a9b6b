"""A measured value, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """The value of a statistic, and how sure it is."""

    value: float
    """In the unit of the statistic; a share is a fraction of one, a percentile of failed attempts is infinite."""
    samples: int
    """How many samples it rests on."""
    low: float | None = None
    """Like `high`: an end of the confidence interval, the error of the histogram included. None where the value is no
    estimate but a fact (a maximum, a count), or where nothing is known of the samples."""
    high: float | None = None
    error: float = 0.0
    """How far the value can be from that of the sample that it stands for."""
    blind: bool = False
    """Whether it is an estimate whose samples nobody kept."""
    only_known: str = ""
    """Why no more is known than that the value lies somewhere from `low` to `high`: a limit in between decides
    nothing, and `value` does not either."""
