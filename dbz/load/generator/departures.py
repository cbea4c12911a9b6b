"""Which users go first when a load gets smaller."""

from __future__ import annotations

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

    def add(self, greenlet: Any) -> None:
        """A user came."""
        self._arrived += 1
        self._arrivals[greenlet] = self._arrived
        super().add(greenlet)

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(self.greenlets, key=self._rank, reverse=True))

    def _rank(self, greenlet: Any) -> int:
        user = greenlet.args[0] if greenlet.args else None
        slot = getattr(user, "slot", None)
        return slot if isinstance(slot, int) else self._arrivals.get(greenlet, 0)
