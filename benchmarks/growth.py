"""How figures grow with the work."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exponent(values: Sequence[float]) -> str:
    """Of the power law through values at 1x, 4x and 16x the work, by least squares of logarithms."""
    logs = [math.log(max(value, 1e-9)) for value in values]
    return f"{(logs[-1] - logs[0]) / (2 * math.log(4)):.2f}" if len(values) == 3 else "-"
