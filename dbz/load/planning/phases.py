"""From a phase of the scaling plan to a load that has its users, its connections and its requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbz.config.load.profile import Profile, override
from dbz.config.phases.plan import Phase
from dbz.config.source.model import Parsed
from dbz.load.planning.plan import LoadPlan

MAX_CLUBS = 100


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
