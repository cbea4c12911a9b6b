"""How long moves still take, from how they went so far."""

from __future__ import annotations

import math

from dbz.shards.plan.estimate import MoveSpeeds

_MEMORY_S = 15.0
_REST_S = 0.5


class Meter:
    """A speed that forgets: bytes over seconds, each weighing less the longer ago it was (e-fold in 15 s)."""

    def __init__(self) -> None:
        self._bytes = 0.0
        self._seconds = 0.0

    def add(self, size_bytes: int, seconds: float) -> None:
        """So many bytes took so long."""
        kept = math.exp(-seconds / _MEMORY_S)
        self._bytes = self._bytes * kept + size_bytes
        self._seconds = self._seconds * kept + seconds

    @property
    def bytes_per_s(self) -> float | None:
        """The speed; None before anything was measured."""
        return self._bytes / self._seconds if self._seconds > 0 and self._bytes > 0 else None


class MoveForecast:
    """Seconds left, from the speeds of copying and of comparing, and from what a move takes beside these."""

    def __init__(self) -> None:
        self.copying = Meter()
        self.comparing = Meter()
        self._rest_s = 0.0
        self._moves = 0

    def finished(self, rest_s: float) -> None:
        """A move took so long beside copying and comparing."""
        self._rest_s += rest_s
        self._moves += 1

    def speeds(self, limit_bytes_per_s: float | None) -> MoveSpeeds | None:
        """How fast moves went; None before one has ended."""
        copying, comparing = self.copying.bytes_per_s, self.comparing.bytes_per_s
        if not (copying and comparing and self._moves):
            return None
        return MoveSpeeds(copying, comparing, self._rest_s / self._moves, limit_bytes_per_s, measured=True)

    def left_s(self, to_copy_bytes: float, to_compare_bytes: float, moves: float) -> float | None:
        """Seconds for what is left; None as long as nothing is known of a speed that is needed."""
        copying = self.copying.bytes_per_s
        comparing = self.comparing.bytes_per_s or copying
        if (to_copy_bytes and not copying) or (to_compare_bytes and not comparing):
            return None
        rest_s = self._rest_s / self._moves if self._moves else _REST_S
        return moves * rest_s + to_copy_bytes / (copying or 1) + to_compare_bytes / (comparing or 1)
