"""Which users a runner has, and which of them go first, and when, as a load gets smaller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import gevent
from gevent.pool import Group
from locust.runners import STATE_CLEANUP
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING

from dbz.load.generator.crowd.spawning import spacing_s

_GOODBYE_S = 1.0
"""How long a step is held up by users who do not go: the next ones are not to wait for those."""


class LastComeFirst(Group):  # type: ignore[misc]
    """The greenlets of a runner's users, in the order in which Locust is to end them.

    Locust ends the first of them that it comes across, and a plain group has no order: of a load that had grown to
    twice its clubs, users of all of them would go, and those who stay would sit in clubs that are half empty, where a
    message reaches half as many. So those go first who came last, by the slots of our users; users without slots are
    taken for as many as came before them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._arrivals: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._arrived = 0
        self._classes: dict[Any, str] = {}
        self._counts: Counter[str] = Counter()
        self.leaving: WeakSet[Any] = WeakSet()
        """Those who have been told to go, and say goodbye."""

    def add(self, greenlet: Any) -> None:
        """A user came."""
        self._arrived += 1
        self._arrivals[greenlet] = self._arrived
        name = self._classes[greenlet] = type(greenlet.args[0]).__name__
        self._counts[name] += 1
        super().add(greenlet)

    def _discard(self, greenlet: Any) -> None:  # what gevent calls when a greenlet has ended, too
        super()._discard(greenlet)
        name = self._classes.pop(greenlet, None)
        if name is not None:
            self._counts[name] -= 1

    def class_of(self, greenlet: Any) -> str:
        """The name of its user's class; a greenlet that has ended knows its user no more."""
        return self._classes[greenlet]

    def count_of(self, name: str) -> int:
        """How many users of a class there are."""
        return self._counts[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(self.greenlets, key=self._rank, reverse=True))

    def _rank(self, greenlet: Any) -> int:
        user = greenlet.args[0] if greenlet.args else None
        slot = getattr(user, "slot", None)
        return slot if isinstance(slot, int) else self._arrivals.get(greenlet, 0)


def install(runner: Any) -> None:
    """Let a runner have its users in such a group, take their numbers from it, and have them go evenly.

    Locust counts all of them again each time it asks, several times for each step in which users come. It ends a
    second's worth of them at once, whose goodbyes would be a burst at the server.
    """
    group = runner.user_greenlets = LastComeFirst()
    type(runner).user_classes_count = property(_user_classes_count)
    stop_at_once = runner.stop_users

    def stop_users(counts: Mapping[str, int]) -> None:
        if runner.state == STATE_CLEANUP:  # all of them, at the end
            stop_at_once(counts)
            return
        due = _next_to_leave(group, counts)
        apart_s, began_s = spacing_s(runner, len(due)), time.monotonic()
        goodbyes = []
        for place, greenlet in enumerate(due):
            early_s = began_s + place * apart_s - time.monotonic()
            if early_s > 0:
                gevent.sleep(early_s)
            group.leaving.add(greenlet)
            goodbyes.append(gevent.spawn(_leave, greenlet.args[0], runner.environment.stop_timeout))
        gevent.joinall(goodbyes, runner.environment.stop_timeout + _GOODBYE_S)

    runner.stop_users = stop_users


def _next_to_leave(group: LastComeFirst, counts: Mapping[str, int]) -> list[Any]:
    """So many greenlets of each class in their order, without those who are leaving already, who count."""
    staying = [greenlet for greenlet in group if greenlet not in group.leaving and not greenlet.dead]
    wanted = Counter(counts)
    for name in wanted:
        leaving = group.count_of(name) - sum(group.class_of(greenlet) == name for greenlet in staying)
        wanted[name] -= leaving
    chosen = []
    for greenlet in staying:
        name = group.class_of(greenlet)
        if wanted[name] > 0:
            wanted[name] -= 1
            chosen.append(greenlet)
    return chosen


def _leave(user: Any, patience_s: float) -> None:
    """End a user as Locust does: at once, or after its task, for which it has `patience_s`."""
    if patience_s:
        if user._state in (LOCUST_STATE_WAITING, LOCUST_STATE_RUNNING):
            user.stop()
        user.greenlet.join(patience_s)
    if not user.greenlet.dead:
        user.stop(force=True)


def _user_classes_count(runner: Any) -> dict[str, int]:
    return {each.__name__: runner.user_greenlets.count_of(each.__name__) for each in runner.user_classes}
