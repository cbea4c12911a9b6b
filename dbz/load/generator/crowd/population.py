"""How many users of each class there are, and how fast they ask, when the profile says so instead of the scenario."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dbz.errors import UsageError
from dbz.load.generator.users import HttpUser, SocketUser, WebSocketUser
from dbz.load.planning.sharing import LONGEST, SHORTEST, equilibrium_delay, pause_per_request_s, shares
from dbz.load.spec import GeneratorSpec

_CONNECTED = (SocketUser, WebSocketUser)
"""Classes whose users hold a connection."""
_GUESSED_REQUESTS = 3.0
_GUESS_COUNTS_AS_TASKS = 20
"""Until tasks have been seen, this is how many requests one is taken to make, as if so many tasks had shown it."""


def hold_connections(classes: Sequence[Any], spec: GeneratorSpec) -> None:
    """Let exactly `spec.connections` users be of classes with a socket, in the proportion of their weights.

    `UsageError` when the scenario has no such class, or no other one for the rest.
    """
    if spec.connections is None:
        return
    sockets = {one.__name__: one for one in classes if issubclass(one, _CONNECTED)}
    if spec.connections and not sockets:
        asked = f"the {spec.connections} connections asked for"
        raise UsageError(f"the scenario has no SocketUser that could hold {asked}, and no WebSocketUser", code="L008")
    rest = [one for one in classes if one.__name__ not in sockets]
    if spec.connections < spec.users and not any(one.weight for one in rest):
        raise UsageError(
            f"every user of the scenario holds a connection, but only {spec.connections} of {spec.users} may",
            code="L008",
        )
    counts = shares({name: one.weight for name, one in sockets.items()}, spec.connections)
    if spec.ordered:
        # Their number will change: what is exact then is the proportion.
        counts |= shares({one.__name__: one.weight for one in rest}, spec.users - spec.connections)
        for user_class in classes:
            user_class.weight = counts[user_class.__name__]
        return
    for name, user_class in sockets.items():
        user_class.fixed_count, user_class.weight = counts[name], 0


def group_shares(classes: Sequence[Any]) -> dict[str, float]:
    """Which share of all users has which `seat_group`, by the weights of the classes."""
    weights: Counter[str] = Counter()
    for user_class in classes:
        weights[getattr(user_class, "seat_group", "") or user_class.__name__] += user_class.weight
    return {group: weight / max(weights.total(), 1) for group, weight in weights.items()}


class RequestPace:
    """Paces the users without a socket, so that all users together make `spec.requests_per_s` HTTP requests.

    A user's tasks begin as far apart as the mean task so far makes requests: the rate does not depend on which tasks a
    scenario has, and, because all rests are about as long, it is reached from the first task on. A class that makes
    requests at its own pace says how many in `own_requests_per_s`.
    """

    def __init__(self, requests_per_s: float, classes: Sequence[Any], spec: GeneratorSpec) -> None:
        paced = {one.__name__: one.weight for one in classes if not issubclass(one, _CONNECTED)}
        if not paced or any(not issubclass(one, HttpUser) for one in classes):
            raise UsageError(
                "a scenario's requests can be paced when its users derive from dbz.users.HttpUser", code="L008"
            )
        fixed = {one.__name__: one.fixed_count for one in classes if one.fixed_count}
        weights = {one.__name__: float(one.weight) for one in classes if not one.fixed_count}
        counts = {**fixed, **shares(weights, spec.users - sum(fixed.values()))}
        own = {one.__name__: one.own_requests_per_s for one in classes}
        users = sum(counts[name] for name in paced)
        self._pause_s = pause_per_request_s(requests_per_s, own, counts, users)
        self._tasks, self._requests = _GUESS_COUNTS_AS_TASKS, _GUESSED_REQUESTS * _GUESS_COUNTS_AS_TASKS
        self._random = random.Random(f"{spec.seed}:{spec.worker}:request pace")

    def paces(self, user: Any) -> bool:
        """Whether a user is paced by this; the others rest as their scenario says."""
        return not isinstance(user, _CONNECTED)

    def next_start_s(self, user: Any) -> float:
        """The intended start of the user's next task: a rest after the intended start of the one before."""
        due_s: float | None = getattr(user, "dbz_due_s", None)
        if due_s is None:
            due_s = time.monotonic() + self._rest_s * equilibrium_delay(self._random)
        else:
            self._tasks += 1
            self._requests += user.requests_made - user.dbz_requests_before
            rest_s = self._rest_s
            # Who fell behind by more than one task, because the server was slow, does not make up for it later.
            due_s = max(due_s, time.monotonic() - rest_s) + rest_s * self._random.uniform(SHORTEST, LONGEST)
        user.dbz_due_s, user.dbz_requests_before = due_s, user.requests_made
        return due_s

    @property
    def _rest_s(self) -> float:
        """The mean time from one task of a user to its next."""
        return self._pause_s * max(self._requests / self._tasks, 0.1)
