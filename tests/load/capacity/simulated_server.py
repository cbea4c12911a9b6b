"""A made-up server for searches of the capacity: budgets with limits and numbers of samples of their own.

What a look says of a budget is drawn as a run would measure it: a percentile is an order statistic of as many samples
as there are in the look, with the interval of its neighbours. The machine is quicker in one look and slower in another,
the server may get slower as time goes by, and its queues need time to empty after an overload.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from dbz.measure.confidence import rank_interval

_NORMAL = NormalDist()
_PERCENT, _QUANTILE = 95.0, NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class SimulatedBudget:
    """A p95 with an upper limit."""

    name: str
    samples: float
    """Per user and second (or per arrival)."""
    beyond: float = 1.0
    """It is broken at so many times the knee."""
    slope: float = 3.0
    """By which power of the load the p95 grows below its limit; twice that beyond."""
    scatter: float = 0.7
    """The standard deviation of the logarithm of a sample."""
    floor: float = 0.1
    """What an idle server uses of the limit."""
    together: float = 1.0
    """So many samples come together, and tell no more than one of them."""

    def truth(self, share: float) -> float:
        """How much of the limit the p95 uses in the long run, at a share of the load where the first budget breaks."""
        own = share / self.beyond
        return max(self.floor, own ** (self.slope if own < 1 else 2 * self.slope))


@dataclass(frozen=True)
class Used:
    """What a look measured of a budget, as shares of its limit; `high` is infinite with too few samples."""

    name: str
    value: float
    low: float
    high: float
    samples: int


MIXED = (
    SimulatedBudget("score", 0.018, 1.0, 6.0, 0.9, together=5),
    SimulatedBudget("notification", 0.005, 1.02, 5.0, 0.9, together=2),
    SimulatedBudget("query", 0.11, 1.04, 6.0, 0.7, together=5),
    SimulatedBudget("chat", 0.84, 1.1, 7.0, 0.9, together=20),
    SimulatedBudget("api", 0.195, 1.4, 8.0, 0.9, together=10),
    SimulatedBudget("page", 0.019, 1.6, 6.0, 0.9, floor=0.02),
    SimulatedBudget("launch", 0.0033, 1.8, 6.0, 0.9, floor=0.01),
)
"""As the budgets of `mixed` on the embedded stack: in numbers of samples, in steepness, in how many come together."""


@dataclass
class SimulatedServer:
    """A server whose first budget breaks at `knee` in the long run."""

    knee: float
    numbers: random.Random
    budgets: Sequence[SimulatedBudget] = MIXED
    machine: float = 0.05
    """By how much it is quicker or slower from look to look: the standard deviation of the logarithm of its knee."""
    drift_per_s: float = 0.0
    """The share of its knee that it loses each second."""
    mishaps: float = 0.03
    """The share of looks in which something else disturbs it."""
    now_s: float = 0.0

    def look(self, load: int, seconds: float) -> list[Used]:
        """What each budget used in a look; a budget of which there was no sample is left out."""
        knee = self.knee * math.exp(self.numbers.gauss(0, self.machine)) * (1 - self.drift_per_s * self.now_s)
        disturbed = math.exp(abs(self.numbers.gauss(0, 1))) if self.numbers.random() < self.mishaps else 1.0
        self.now_s += seconds
        rates = [(one, one.samples / one.together * load) for one in self.budgets]
        found = [self._measure(one, load / knee, disturbed, rate * seconds) for one, rate in rates]
        return [one for one in found if one is not None]

    def _measure(self, budget: SimulatedBudget, share: float, disturbed: float, expected: float) -> Used | None:
        spread = math.sqrt(expected)
        count = max(round(self.numbers.gauss(expected, spread)), 0)
        if not count:
            return None
        rank = math.ceil(_PERCENT / 100 * count)
        below, above = rank_interval(count, _PERCENT, 0.95)
        at = self.numbers.betavariate(rank, count - rank + 1)
        low = at * self.numbers.betavariate(below, rank - below) if 0 < below < rank else at if below else 0.0
        high = 1.0
        if rank < above <= count:
            high = 1 - (1 - at) * self.numbers.betavariate(count - above + 1, above - rank)
        truth = budget.truth(share) * disturbed
        ends = [truth * math.exp(budget.scatter * (_quantile(one) - _QUANTILE)) for one in (low, at)]
        most = truth * math.exp(budget.scatter * (_quantile(high) - _QUANTILE)) if above <= count else math.inf
        return Used(budget.name, ends[1], ends[0] if below else 0.0, max(most, ends[1]), count)


def _quantile(share: float) -> float:
    return _NORMAL.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))


@dataclass
class Clock:
    """How long a search over users takes, by the delays of the embedded stack."""

    users_per_s: float = 65.0
    users: int = 0
    overloaded: bool = False
    seconds: float = 0.0

    def before(self, load: int) -> float:
        """Bring the users of a look, after an overload by way of what was held before; the seconds that took."""
        begun = self.seconds
        if load != self.users:
            if self.overloaded:
                self.seconds += 2 + 4
            missing = load - self.users
            self.seconds += 0.5 + (missing / self.users_per_s if missing > 0 else 2)
            self.seconds += 4 if self.users else 10
        self.users = load
        return self.seconds - begun

    def looked(self, seconds: float, *, held: bool) -> None:
        """Count a look."""
        self.seconds += seconds + 0.5
        self.overloaded = not held
