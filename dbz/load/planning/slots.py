"""Numbers for users that come and go, and the places in clubs that they stand for. Pure, for generator and tests."""

from __future__ import annotations

import heapq
import math


class Slots:
    """The numbers from 0 on that one worker of a run gives out: the workers share them, so that none is given twice."""

    def __init__(self, worker: int, workers: int) -> None:
        self._worker, self._workers = worker, workers
        self._taken = 0
        self._free: list[int] = []

    def take(self) -> int:
        """The lowest number that nobody has."""
        if self._free:
            return heapq.heappop(self._free)
        self._taken += 1
        return (self._taken - 1) * self._workers + self._worker

    def give_back(self, slot: int) -> None:
        """Whoever had the number has gone."""
        heapq.heappush(self._free, slot)


def place_in_clubs(slot: int, clubs: int, per_club: float = 0.0) -> tuple[int, int]:
    """The club that has a slot, and the slot's number in it.

    Slots go round all clubs, or fill one after another with `per_club` each; what is left over is the last club's.
    """
    if not per_club:
        return slot % clubs, slot // clubs
    club = min(int(slot / per_club), clubs - 1)
    return club, max(slot - math.ceil(club * per_club), 0)
