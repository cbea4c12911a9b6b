"""The newest N samples of one condition: do M of them hold?"""

from __future__ import annotations

from collections import deque


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

    def clear(self) -> None:
        """Forget all samples."""
        self._samples.clear()
        self.holding = self.missing = 0

    @property
    def length(self) -> int:
        """How many samples are remembered."""
        return len(self._samples)

    @property
    def met(self) -> bool:
        """Whether enough samples are known to hold, whatever the others were."""
        return self.holding >= self.needed

    @property
    def met_and_complete(self) -> bool:
        """Whether enough samples hold and none of the whole window is missing."""
        return self.holding >= self.needed and not self.missing and len(self._samples) == self.size
