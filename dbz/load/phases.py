"""From a phase of the scaling plan to a load that has its users, its connections and its requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbz.config.model import Parsed
from dbz.config.phases import Phase
from dbz.config.profile import Profile, override
from dbz.load.run import LoadPlan


def profile_for_phase(profile: Profile, phase: Phase) -> dict[str, Any]:
    """The profile keys that a phase replaces: its users, of whom `connections` hold a socket, and their requests."""
    return {
        "name": f"{profile.name} {phase.name}"[:60],
        "users": phase.users,
        "connections": phase.connections,
        "requests": Parsed(phase.requests),
        "rate": None,
        "pacing": None,
    }


def plan_for_phase(plan: LoadPlan, phase: Phase, overrides: Mapping[str, Any]) -> LoadPlan:
    """The plan with a phase's load; what the user said in `overrides` still counts more."""
    keys = {**profile_for_phase(plan.profile, phase), **overrides}
    return replace(plan, profile=override(plan.profile, keys))


def scaled(profile: Profile, users: int) -> dict[str, Any]:
    """The profile keys of the same load with another number of users: connections and requests keep their share."""
    factor = users / profile.users
    keys: dict[str, Any] = {"users": users, "workers": min(profile.workers, users)}
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
