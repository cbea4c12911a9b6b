"""A bound on retries: they may add a share to the load of a service, never multiply it."""

from __future__ import annotations

import time
from collections.abc import Callable


class RetryBudget:
    """Each call adds `share` of a retry, each second `per_s` more, up to what ten seconds bring; a retry takes one."""

    def __init__(self, share: float, per_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._per_s = per_s
        self._clock = clock
        self._most = 10.0 * per_s
        self._left = self._most
        self._seen_s = clock()

    def called(self) -> None:
        """Count a call that is no retry."""
        # What many calls have earned is bounded too: an hour of peace must not pay for a storm.
        self._left = min(self._left + self._share, max(self._most, 100 * self._share))

    def takes(self) -> bool:
        """Whether one more retry may be made; it is counted."""
        now_s = self._clock()
        if self._left < self._most:
            self._left = min(self._most, self._left + (now_s - self._seen_s) * self._per_s)
        self._seen_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
