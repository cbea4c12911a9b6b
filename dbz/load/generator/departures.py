"""Which users a runner has, and which of them go first when a load gets smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from gevent.pool import Group


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

    def count_of(self, user_class: Any) -> int:
        """How many users of a class there are."""
        return self._counts[user_class.__name__]

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(self.greenlets, key=self._rank, reverse=True))

    def _rank(self, greenlet: Any) -> int:
        user = greenlet.args[0] if greenlet.args else None
        slot = getattr(user, "slot", None)
        return slot if isinstance(slot, int) else self._arrivals.get(greenlet, 0)


def install(runner: Any) -> None:
    """Let a runner have its users in such a group, and take their numbers from it.

    Locust counts all of them again each time it asks, several times for each step in which users come.
    """
    runner.user_greenlets = LastComeFirst()
    type(runner).user_classes_count = property(_user_classes_count)


def _user_classes_count(runner: Any) -> dict[str, int]:
    return {each.__name__: runner.user_greenlets.count_of(each) for each in runner.user_classes}
