"""How long moves still take: what their documents cost, corrected by how long the batches so far took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from dbz.shards.plan.cost import CopyCost, Load
from dbz.shards.plan.estimate import MoveCosts

_MEMORY_S, _MEMORY_SHARE = 15.0, 0.5
_REST_S = 2.0
_BOTH_SIDES = 2
_UNMEASURED = CopyCost()


class Step(StrEnum):
    """What is done with a batch."""

    COPY = "copy"
    COMPARE = "compare"


class _Decaying:
    """A ratio that forgets: amounts over seconds, each weighing less the longer ago it was."""

    def __init__(self) -> None:
        self._amount = 0.0
        self._seconds = 0.0

    def add(self, amount: float, seconds: float, memory_s: float) -> None:
        """So much took so long; what was before falls to 1/e within `memory_s`."""
        kept = math.exp(-seconds / memory_s)
        self._amount = self._amount * kept + amount
        self._seconds = self._seconds * kept + seconds

    @property
    def per_s(self) -> float | None:
        """The ratio; None before anything was measured."""
        return self._amount / self._seconds if self._seconds > 0 and self._amount > 0 else None


class Meter:
    """How fast something goes: of late, and over a time that grows with what was measured.

    Copying that gives way comes and goes. What it did of late, the ebb or the flood, is not what is to come: for that,
    half of all that was measured says more.
    """

    def __init__(self) -> None:
        self._lately, self._settled = _Decaying(), _Decaying()
        self._measured_s = 0.0

    def add(self, amount: float, seconds: float) -> None:
        """So much took so long."""
        self._measured_s += seconds
        self._lately.add(amount, seconds, _MEMORY_S)
        self._settled.add(amount, seconds, max(_MEMORY_S, _MEMORY_SHARE * self._measured_s))

    @property
    def per_s(self) -> float | None:
        """The speed of late; None before anything was measured."""
        return self._lately.per_s

    @property
    def settled_per_s(self) -> float | None:
        """The speed to reckon with."""
        return self._settled.per_s


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

    def _pace(self, step: Step, collection: str, *, lately: bool) -> float | None:
        own = self._of_collection.get((step, collection))
        meters = ([own] if own else []) + [self._of_step[step], self._of_all]
        paces = (meter.per_s if lately else meter.settled_per_s for meter in meters)
        return next((pace for pace in paces if pace is not None), None)

    def costs(self) -> MoveCosts | None:
        """How moves went, for the next plan; None before one has ended."""
        copying, comparing = (self._of_step[step].settled_per_s for step in Step)
        if not (copying and comparing and self._moves):
            return None
        return MoveCosts(self._cost.unit_s, 1 / copying, 1 / comparing, self._rest_s / self._moves, measured=True)

    def left_s(
        self,
        to_copy: Mapping[str, Load],
        to_compare: Mapping[str, Load],
        moves: float,
        rested_s: float = 0.0,
        *,
        lately: bool = False,
    ) -> float | None:
        """Seconds for what is left, by collection; None as long as nothing is known of how fast it goes.

        What is to be compared is given once, and read on both sides. `rested_s` of what moves take beside is over.
        With `lately`, as if all went on as it did of late.
        """
        seconds = max(0.0, moves * (self._rest_s / self._moves if self._moves else _REST_S) - rested_s)
        for step, loads, times in ((Step.COPY, to_copy, 1), (Step.COMPARE, to_compare, _BOTH_SIDES)):
            for collection, load in loads.items():
                reckoned_s = times * self._reckoned_s(step, load)
                pace = self._pace(step, collection, lately=lately) if reckoned_s else 1.0
                if pace is None:
                    return None
                seconds += reckoned_s / pace
        return seconds
