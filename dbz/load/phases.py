"""From a phase of the scaling plan to a load that has its users, its connections and its requests."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbz.config.model import Parsed
from dbz.config.phases import Phase
from dbz.config.profile import Profile, override
from dbz.load.run import LoadPlan

MAX_CLUBS = 100
SHORTEST, LONGEST = 0.5, 1.5
"""A rest is somewhere between these shares of the mean rest."""


def profile_for_phase(profile: Profile, phase: Phase) -> dict[str, Any]:
    """The profile keys that a phase replaces: its users, of whom `connections` hold a socket, and their requests.

    More users than the profile's start no faster than those do: signing in all at once is another load.
    """
    return {
        "name": f"{profile.name} {phase.name}"[:60],
        "users": phase.users,
        "connections": phase.connections,
        "requests": Parsed(phase.requests),
        "warmup": Parsed(profile.warmup * max(phase.users / profile.users, 1)),
        "rate": None,
        "pacing": None,
    }


def plan_for_phase(plan: LoadPlan, phase: Phase, overrides: Mapping[str, Any]) -> LoadPlan:
    """The plan with a phase's load; what the user said in `overrides` still counts more."""
    keys = profile_for_phase(plan.profile, phase)
    if plan.embedded:
        keys["stack"] = stack_for(plan.profile, phase.users)
    keys |= overrides
    return replace(plan, profile=override(plan.profile, keys))


def stack_for(profile: Profile, users: int) -> dict[str, Any]:
    """The embedded stack of a profile for another number of users: its clubs grow with them, so that a club keeps its
    size. It is not one ever larger club that is measured, and no two users of one kind share an account."""
    clubs = math.ceil(users * profile.stack.clubs / profile.users)
    return {**profile.stack.model_dump(), "clubs": min(max(clubs, 1), MAX_CLUBS)}


def scaled(profile: Profile, users: int) -> dict[str, Any]:
    """The profile keys of the same load with another number of users: connections and requests keep their share."""
    factor = users / profile.users
    keys: dict[str, Any] = {"users": users}
    if profile.workers is not None:
        keys["workers"] = min(profile.workers, users)
    if profile.connections is not None:
        keys["connections"] = min(round(profile.connections * factor), users)
    if profile.requests is not None:
        keys["requests"] = Parsed(profile.requests * factor)
        keys["connections"] = min(keys.get("connections", users), max(users - 1, 0)) if profile.connections else None
    return keys


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
