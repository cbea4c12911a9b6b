"""Sharing a load out among users: how many of each class, and how long each of them rests.

Pure functions that the launching side plans with and the generator paces by.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

SHORTEST, LONGEST = 0.5, 1.5
"""A rest is somewhere between these shares of the mean rest."""


def shares(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """`total` shared out in proportion to weights, exactly: by the method of largest remainders."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()} if whole else dict.fromkeys(weights, 0.0)
    counts = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: total - sum(counts.values()) if whole else 0]:
        counts[name] += 1
    return counts


def pause_per_request_s(
    requests_per_s: float, own: Mapping[str, float], counts: Mapping[str, int], paced: int
) -> float:
    """How long each of `paced` users must rest for each request it made, so that all users reach `requests_per_s`.

    `own` is how many requests a second one user of a class makes by itself, `counts` how many of that class there are.
    """
    others_per_s = sum(own.get(name, 0.0) * count for name, count in counts.items())
    # When the others already make all of them, the paced users keep one in a hundred: they must not stand still.
    return paced / max(requests_per_s - others_per_s, requests_per_s / 100)


def equilibrium_delay(numbers: random.Random) -> float:
    """How long, in mean rests, whoever drops in at random waits for the end of a rest.

    With it as the first delay tasks begin at their steady rate at once (an equilibrium renewal process; D. R. Cox,
    "Renewal Theory", 1962, chapter 2). A delay spread evenly over the mean rest would make a wave of tasks at first.
    """
    met = math.sqrt(SHORTEST**2 + numbers.random() * (LONGEST**2 - SHORTEST**2))  # long rests are met more often
    return met * numbers.random()
