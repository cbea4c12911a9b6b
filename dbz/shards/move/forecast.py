"""How long moves still take: what their documents cost, corrected by how long the batches so far took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from dbz.shards.plan.cost import CopyCost, Load
from dbz.shards.plan.estimate import MoveCosts

_MEMORY_S = 15.0
_REST_S = 2.0
_BOTH_SIDES = 2
_UNMEASURED = CopyCost()


class Step(StrEnum):
    """What is done with a batch."""

    COPY = "copy"
    COMPARE = "compare"


class Meter:
    """A ratio that forgets: amounts over seconds, each weighing less the longer ago it was (e-fold in 15 s)."""

    def __init__(self) -> None:
        self._amount = 0.0
        self._seconds = 0.0

    def add(self, amount: float, seconds: float) -> None:
        """So much took so long."""
        kept = math.exp(-seconds / _MEMORY_S)
        self._amount = self._amount * kept + amount
        self._seconds = self._seconds * kept + seconds

    @property
    def per_s(self) -> float | None:
        """The speed; None before anything was measured."""
        return self._amount / self._seconds if self._seconds > 0 and self._amount > 0 else None


class MoveForecast:
    """Seconds left, of copying, of comparing, and of what a move takes beside these.

    Each batch says how many seconds of the reckoned cost pass in a second, of its collection and step. Collections that
    had no batch yet are taken to go as the others of the same step, then as all that was done.
    """

    def __init__(self, cost: CopyCost = _UNMEASURED) -> None:
        self._cost = cost
        self.copying = Meter()
        self._of_collection: dict[tuple[Step, str], Meter] = {}
        self._of_step = {step: Meter() for step in Step}
        self._of_all = Meter()
        self._rest_s = 0.0
        self._moves = 0

    def add(self, step: Step, collection: str, batch: Load, seconds: float) -> None:
        """A batch took so long."""
        reckoned_s = self._reckoned_s(step, batch)
        mine = self._of_collection.setdefault((step, collection), Meter())
        for meter in (mine, self._of_step[step], self._of_all):
            meter.add(reckoned_s, seconds)
        if step == Step.COPY:
            self.copying.add(batch.bytes, seconds)

    def finished(self, rest_s: float) -> None:
        """A move took so long beside copying and comparing."""
        self._rest_s += rest_s
        self._moves += 1

    def _reckoned_s(self, step: Step, load: Load) -> float:
        return self._cost.copy_s(load) if step == Step.COPY else self._cost.compare_s(load)

    def _pace(self, step: Step, collection: str) -> float | None:
        own = self._of_collection.get((step, collection))
        meters = ([own] if own else []) + [self._of_step[step], self._of_all]
        return next((pace for meter in meters if (pace := meter.per_s) is not None), None)

    def costs(self) -> MoveCosts | None:
        """How moves went, for the next plan; None before one has ended."""
        copying, comparing = (self._of_step[step].per_s for step in Step)
        if not (copying and comparing and self._moves):
            return None
        return MoveCosts(self._cost.unit_s, 1 / copying, 1 / comparing, self._rest_s / self._moves, measured=True)

    def left_s(
        self, to_copy: Mapping[str, Load], to_compare: Mapping[str, Load], moves: float, rested_s: float = 0.0
    ) -> float | None:
        """Seconds for what is left, by collection; None as long as nothing is known of how fast it goes.

        What is to be compared is given once, and read on both sides. `rested_s` of what moves take beside is over.
        """
        seconds = max(0.0, moves * (self._rest_s / self._moves if self._moves else _REST_S) - rested_s)
        for step, loads, times in ((Step.COPY, to_copy, 1), (Step.COMPARE, to_compare, _BOTH_SIDES)):
            for collection, load in loads.items():
                reckoned_s = times * self._reckoned_s(step, load)
                pace = self._pace(step, collection) if reckoned_s else 1.0
                if pace is None:
                    return None
                seconds += reckoned_s / pace
        return seconds
