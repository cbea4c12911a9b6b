"""How fast to copy so that the app does not notice: a rate that gives way when the stores answer late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_CUT = 0.5
_STEP = 0.05
_GROWTH = 0.25
_FINEST = 1 / 16
_COARSER = 1.1
_LEAST = 0.025
_TOLERATED = 2.0
_SPARE_MS = 5.0


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

    It hears whether the stores answered in time. `grain` is the share of a full batch that is copied at once, down to
    a sixteenth: the first late answer halves it, for where the app waits for whole batches, the rate can stay. A second
    one in a row halves what was really copied. Each good one gives back a twentieth of `most`, or a quarter of the rate
    where that is less, so that a store that bears little is not overrun by every step; at the full rate it makes the
    grain a tenth coarser. Copying never stops: a store that is slow by itself would stop a move for good.
    """

    def __init__(self, most_bytes_per_s: float) -> None:
        self.most = most_bytes_per_s
        self.least = most_bytes_per_s * _LEAST
        self.limit = most_bytes_per_s
        self.grain = 1.0
        self._was_late = False

    def hear(self, *, in_time: bool, copied_bytes_per_s: float) -> float:
        """Take in how the stores answered, and how much was copied meanwhile; the new limit in bytes a second."""
        if in_time:
            if self.limit == self.most:
                self.grain = min(1.0, self.grain * _COARSER)
            self.limit = min(self.most, self.limit + min(_STEP * self.most, _GROWTH * self.limit))
        else:
            self.grain = max(_FINEST, self.grain / 2)
            if self._was_late:
                # A limit that did not limit is no place to begin from: it would be halved several times for nothing.
                self.limit = max(self.least, _CUT * min(self.limit, copied_bytes_per_s))
        self._was_late = not in_time
        return self.limit


def allowed_ms(usual_ms: float) -> float:
    """The longest answer (p95) beside a copy: twice the usual, and at least 5 ms more.

    That is a twentieth of what the default budgets give a query, `database_query_time`.
    """
    return max(_TOLERATED * usual_ms, usual_ms + _SPARE_MS)


def p95_ms(answers_ms: Sequence[float]) -> float:
    """The 95th percentile, as an answer that was measured: the smallest that 95 % do not exceed."""
    return sorted(answers_ms)[math.ceil(0.95 * len(answers_ms)) - 1]
