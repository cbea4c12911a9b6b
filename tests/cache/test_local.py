"""The in-process layer keeps within its bounds."""

from __future__ import annotations

from dbz.cache.layers.local import MISSING, LocalLayer


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_entry_ends_with_its_ttl() -> None:
    """After its time an entry is gone."""
    clock = Clock()
    layer = LocalLayer(10, 1000, clock)
    layer.put("a", 1, 10, ttl_s=5)
    assert layer.get("a") == 1
    clock.now = 5.0
    assert layer.get("a") is MISSING and len(layer) == 0


def test_the_least_recently_used_entry_goes_first() -> None:
    """Bounded by entries."""
    layer = LocalLayer(2, 1000)
    layer.put("a", 1, 1, 60)
    layer.put("b", 2, 1, 60)
    layer.get("a")
    layer.put("c", 3, 1, 60)
    assert (layer.get("a"), layer.get("b"), layer.get("c")) == (1, MISSING, 3)


def test_bytes_are_bounded_too() -> None:
    """Bounded by bytes; one value larger than everything is not kept, and replacing does not count twice."""
    layer = LocalLayer(100, 100)
    layer.put("a", 1, 60, 60)
    layer.put("a", 1, 60, 60)
    layer.put("b", 2, 60, 60)
    assert layer.get("a") is MISSING and layer.size_bytes == 60
    layer.put("huge", 3, 101, 60)
    assert layer.get("huge") is MISSING and layer.get("b") == 2


def test_expired_entries_are_dropped_on_request() -> None:
    """What memory pressure drops is what nobody can get any more."""
    clock = Clock()
    layer = LocalLayer(10, 1000, clock)
    layer.put("old", 1, 10, 1)
    layer.put("new", 2, 10, 100)
    clock.now = 2.0
    assert layer.drop_expired() == 1 and layer.size_bytes == 10 and layer.get("new") == 2
