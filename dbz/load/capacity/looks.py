"""What a look at a load said: as a whole, and of each budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbz.load.capacity.belief import Evidence

_RELEVANT = math.log(0.5)
"""A budget of which no look used more than this share says nothing that the others do not."""


class Answer(StrEnum):
    """What one look at a load said; `undecided` when the generator, not the server, was the limit."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNDECIDED = "undecided"


class Length(StrEnum):
    """How long a load is looked at: briefly where nothing rests on it yet."""

    BRIEF = "brief"
    FULL = "full"


_NOISE = {Length.BRIEF: 1.5, Length.FULL: 1.0}
"""How much the answers of two looks at one load differ, by their length, beside what their samples explain: not as the
root of it, since what disturbs one second often disturbs the next ones too."""


@dataclass(frozen=True)
class Use:
    """How much of its limit a budget used: the logarithm of that share, above 0 what does not hold and infinite where
    no amount is known, and the standard error of it by the samples of the look."""

    budget: str
    log: float
    error: float = 0.0
    reached: bool = False
    """Whether it is about the rate that was reached of the one that was asked for: what it missed says what the server
    can do."""


@dataclass(frozen=True)
class Tried:
    """One look at a load, and what it said."""

    load: int
    answer: Answer
    length: Length = Length.FULL
    uses: tuple[Use, ...] = ()
    """What is known of single budgets."""
    cpu_percent: float | None = None
    """How much of its cores the server used; None when nobody knows."""

    def evidence(self, budget: str) -> Evidence | None:
        """What the look says of a budget; None when it says nothing. A load that holds has broken none."""
        used = next((one for one in self.all_uses if one.budget == budget), None)
        if used is None:
            used = Use(budget, -math.inf) if self.answer is Answer.HOLDS else None
        if used is None:
            return None
        return Evidence(self.load, used.log, used.error, _NOISE[self.length], reached=used.reached)

    @property
    def all_uses(self) -> tuple[Use, ...]:
        """With what broke for another reason than a budget, under the name of the answer."""
        if self.answer is Answer.HOLDS or any(one.log > 0 for one in self.uses):
            return self.uses
        return (*self.uses, Use(self.answer.value, math.inf))


def evidence_by_budget(tried: Sequence[Tried]) -> dict[str, list[Evidence]]:
    """What all looks say of each budget that may be the limit; of the load as a whole when there is none."""
    names = sorted({one.budget for look in tried for one in look.all_uses if one.log > _RELEVANT}) or [""]
    found = {name: [look.evidence(name) for look in tried] for name in names}
    return {name: [one for one in said if one is not None] for name, said in found.items()}
