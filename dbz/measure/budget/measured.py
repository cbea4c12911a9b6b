"""A measured value, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """The value of a statistic, in its unit (a share is a fraction of one), and how many samples it rests on.

    `low` and `high` are the confidence interval, the error of the histogram included; None where the value is not an
    estimate but a fact (a maximum, a count), or where nothing is known of the samples. `error` is how far the value can
    be from that of the sample it stands for. `blind` ones are estimates whose samples nobody kept.
    """

    value: float
    samples: int
    low: float | None = None
    high: float | None = None
    error: float = 0.0
    blind: bool = False
    only_known: str = ""
    """Why no more is known than that the value lies somewhere from `low` to `high`: a limit in between decides
    nothing, and `value` does not either."""
