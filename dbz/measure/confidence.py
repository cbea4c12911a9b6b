"""How sure a statistic is: intervals for percentiles, shares and means, and what correlated samples are worth.

The interval of a percentile is that of its order statistics: between two ranks that follow from the binomial
distribution, whatever the shape of the latencies (W. J. Conover, Practical Nonparametric Statistics, ch. 3.2). Samples
of one run are not independent: a stall hits many at once. So a run is cut into blocks of time, the spread between the
blocks gives the design effect, and the intervals are those of so many fewer samples (R. S. Woodruff, Confidence
Intervals for Medians and Other Position Measures, JASA 1952; E. L. Korn and B. I. Graubard, Survey Methodology 1998).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

from dbz.measure.student import t_quantile

CONFIDENCE = 0.95
_NORMAL_FROM_VARIANCE = 2500.0
"""From this variance on, a binomial distribution is taken as normal: ranks are then off by less than one."""

Interval = tuple[float, float]
Block = tuple[int, float]
"""Of a stretch of time: how many samples it has, and the sum over them (of hits, of scores, of values)."""


def normal_quantile(confidence: float) -> float:
    """Half the width of the two-sided interval of a standard normal variable."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def rank_interval(count: int, percent: float, confidence: float, effective: float | None = None) -> tuple[int, int]:
    """The ranks (from 1) between which the true percentile lies; 0 or `count + 1` where samples are too few to say.

    `effective` is how many independent samples the `count` are worth.
    """
    worth = max(int(min(effective or count, count)), 1)
    below, above = _binomial_tails(worth, percent / 100, (1 - confidence) / 2)
    # Independent sample l stands for several real ones: the lowest of them bounds below, the highest above.
    low = (below - 1) * count // worth + 1 if below else 0
    high = -(-above * count // worth) if above <= worth else count + 1
    return low, high


@lru_cache(4096)
def _binomial_tails(count: int, share: float, tail: float) -> tuple[int, int]:
    """The largest l with P(B < l) <= tail, and the smallest u with P(B >= u) <= tail, for binomial B."""
    mean, deviation = count * share, math.sqrt(count * share * (1 - share))
    if deviation**2 > _NORMAL_FROM_VARIANCE:
        half = NormalDist().inv_cdf(1 - tail) * deviation
        return math.floor(mean - half + 0.5), math.ceil(mean + half + 0.5)
    if not deviation:
        return (0, 1) if share <= 0 else (count, count + 1)
    first = max(0, math.floor(mean - 12 * deviation - 10))
    chance = math.exp(
        math.lgamma(count + 1)
        - math.lgamma(first + 1)
        - math.lgamma(count - first + 1)
        + first * math.log(share)
        + (count - first) * math.log1p(-share)
    )
    below, low = 0.0, 0
    for hits in range(first, count + 1):
        # Here `below` is P(B < hits).
        low = hits if below <= tail else low
        if below >= 1 - tail:
            return low, hits
        below += chance
        chance *= (count - hits) / (hits + 1) * share / (1 - share)
    return low, count + 1


def share_interval(hits: float, count: float, confidence: float) -> Interval:
    """Wilson's score interval of a share; it is honest at 0 and at 1 too (E. B. Wilson, JASA 1927)."""
    if count <= 0:
        return 0.0, 1.0
    z2, share = normal_quantile(confidence) ** 2, hits / count
    middle = share + z2 / (2 * count)
    half = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count * count)))
    # At 0 and at 1 one end is the share itself; computed, it would be off by a rounding error.
    low = (middle - half) / (1 + z2 / count) if hits > 0 else 0.0
    high = (middle + half) / (1 + z2 / count) if hits < count else 1.0
    return max(low, 0.0), min(high, 1.0)


def mean_half_width(blocks: Sequence[Block], confidence: float) -> float:
    """Half the interval of the mean over all samples, from the spread of the blocks; infinite for fewer than two."""
    count, total = sum(one for one, _ in blocks), sum(one for _, one in blocks)
    if len(blocks) < 2 or not count:
        return math.inf
    return t_quantile(len(blocks) - 1, confidence) * math.sqrt(_between(blocks, total / count)) / count


def effective_count(blocks: Sequence[Block], confidence: float) -> float:
    """How many independent samples those of the blocks (samples, hits) are worth; never more than there are.

    Independent samples show some spread too: they count as independent unless they show more than in four of five such
    cases. The uncertainty of a spread from few blocks is allowed for; of less than three, nothing can be said.
    """
    count, hits = sum(one for one, _ in blocks), sum(one for _, one in blocks)
    share = hits / count if count else 0.0
    if len(blocks) < 3 or not 0 < share < 1:
        return float(count)
    effect = _between(blocks, share) / (count * share * (1 - share))
    if effect <= 1 + normal_quantile(0.6) * math.sqrt(2 / (len(blocks) - 1)):
        return float(count)
    caution = (normal_quantile(confidence) / t_quantile(len(blocks) - 1, confidence)) ** 2
    return max(count / effect * caution, 1.0)


def effective_length(values: Sequence[float]) -> float:
    """How many independent samples a series of gauge readings is worth, from the correlation of neighbours."""
    count = len(values)
    if count < 4:
        return float(count)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values)
    if not variance:
        return float(count)
    neighbours = itertools.pairwise(values)
    correlation = min(max(sum((a - mean) * (b - mean) for a, b in neighbours) / variance, 0.0), 0.99)
    return max(count * (1 - correlation) / (1 + correlation), 1.0)


def _between(blocks: Sequence[Block], mean: float) -> float:
    """The variance of the sum over all samples, as the blocks' deviations from their expected sums show it."""
    return len(blocks) / (len(blocks) - 1) * sum((total - count * mean) ** 2 for count, total in blocks)
