"""Whether a condition holds over time, reading by reading: counted here for servers that scale and for alerts. Pure.

A reading is a value in the unit of the condition's limit, or None: nothing was measured. `for 4 of 5 minutes` holds
when the readings of four minutes, among the newest of five, hold; a missing one never does. What a longer silence means
is for whoever follows the condition: the readings in it are missing (`leave_out`), or all before it is forgotten.
"""

from __future__ import annotations

from collections import deque

from dbz.config.grammar.conditions import Condition


class ConditionWindow:
    """Remembers for the newest `size` samples whether a condition held, did not hold (False), or was unknown (None).

    Adding a sample and asking take constant time.
    """

    def __init__(self, needed: int, size: int) -> None:
        self.needed, self.size = needed, size
        self._samples: deque[bool | None] = deque(maxlen=size)
        self.holding = 0
        self.missing = 0

    def add(self, held: bool | None) -> None:
        """Take in the newest sample; the oldest one is forgotten."""
        if len(self._samples) == self.size:
            oldest = self._samples[0]
            self.holding -= oldest is True
            self.missing -= oldest is None
        self._samples.append(held)
        self.holding += held is True
        self.missing += held is None

    def forget(self) -> None:
        """Begin anew."""
        self._samples.clear()
        self.holding = self.missing = 0

    @property
    def met(self) -> bool:
        """Whether enough samples are known to hold, whatever the others were."""
        return self.holding >= self.needed

    @property
    def met_and_complete(self) -> bool:
        """Whether enough samples hold and none of the whole window is missing."""
        return self.holding >= self.needed and not self.missing and len(self._samples) == self.size


class ConditionFollower:
    """One condition with its window; a reading once in `period_s` seconds."""

    def __init__(self, condition: Condition, period_s: float) -> None:
        self.condition = condition
        self.window = ConditionWindow(*condition.samples(period_s))

    def add(self, value: float | None) -> bool | None:
        """Take in the newest reading; whether that alone holds, None for a missing one."""
        held = self.condition.holds(value)
        self.window.add(held)
        return held

    def leave_out(self, periods: int) -> None:
        """So many periods had no reading."""
        for _ in range(min(periods, self.window.size)):
            self.window.add(None)
