"""How fast to copy so that the app does not notice: a rate that gives way when the stores answer late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_CUT = 0.5
_STEP = 0.05
_GROWTH = 0.25
_LEAST = 0.025
_TOLERATED = 2.0
_NOISE_MS = 5.0


@dataclass(frozen=True)
class Slowed:
    """Copying is slower than it may be: `shard` answers in `latency_ms` (p95), where `allowed_ms` is allowed.

    `usual_ms` is what it was before anything was copied.
    """

    limit_bytes_per_s: float
    shard: str
    latency_ms: float
    usual_ms: float
    allowed_ms: float


class RateControl:
    """A rate between `most` and a fortieth of it: additive increase, multiplicative decrease (Chiu and Jain, 1989).

    One late answer to the question "do the stores answer in time?" halves what was really copied, each good one gives
    back a twentieth of `most`, or a quarter of the rate where that is less: a store that bears little is not overrun
    by every step. It never stops altogether: a store that is slow by itself would stop a move for good.
    """

    def __init__(self, most_bytes_per_s: float) -> None:
        self.most = most_bytes_per_s
        self.least = most_bytes_per_s * _LEAST
        self.limit = most_bytes_per_s

    def hear(self, *, in_time: bool, copied_bytes_per_s: float) -> float:
        """Take in how the stores answered, and how much was copied meanwhile; the new limit in bytes a second."""
        if in_time:
            self.limit = min(self.most, self.limit + min(_STEP * self.most, _GROWTH * self.limit))
        else:
            # A limit that did not limit is no place to begin from: it would be halved several times for nothing.
            self.limit = max(self.least, _CUT * min(self.limit, copied_bytes_per_s))
        return self.limit


def allowed_ms(usual_ms: float) -> float:
    """The longest answer (p95) beside a copy: twice the usual, and at least 5 ms more, which is noise."""
    return max(_TOLERATED * usual_ms, usual_ms + _NOISE_MS)


def p95_ms(answers_ms: Sequence[float]) -> float:
    """The 95th percentile, as an answer that was measured: the smallest that 95 % do not exceed."""
    return sorted(answers_ms)[math.ceil(0.95 * len(answers_ms)) - 1]
