"""A circuit breaker: after a few failures in a row the dependency is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Closed while calls succeed; open for `rest_s` seconds after `threshold` failures running; then one trial call."""

    def __init__(self, threshold: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._closed_again_at = 0.0
        self._on_trial = False

    @property
    def is_open(self) -> bool:
        """True while calls are refused or only a trial call is under way."""
        return self._failures >= self._threshold

    def allows(self) -> bool:
        """Whether a call may be made now; once the rest is over one caller at a time gets True."""
        if not self.is_open:
            return True
        if self._on_trial or self._clock() < self._closed_again_at:
            return False
        self._on_trial = True
        return True

    def succeeded(self) -> None:
        """Report a call that worked; closes the breaker."""
        self._failures = 0
        self._on_trial = False

    def failed(self) -> None:
        """Report a call that failed; opens the breaker, or keeps it open after a trial."""
        self._failures += 1
        self._on_trial = False
        if self.is_open:
            self._closed_again_at = self._clock() + self._rest_s

    def abandoned(self) -> None:
        """Report a call that was cancelled before it had a result."""
        self._on_trial = False
