"""When a server process looks for garbage that lies in cycles: often, and each time at few objects."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import Any

_YOUNG_AFTER = (1_000, 5, 1_000_000_000)
"""Allocations until a collection of the youngest objects, collections of these until one of the middle ones, and of
those until one of all, which is never. The event loop stands still meanwhile: 20,000 objects are 30 ms of a slow core,
a walk over everything that a thousand connections hold a fifth of a second. Looking at few is less in all, too, because
the processor has them at hand."""
_MIDDLE = 1
_PERIOD_S = 600.0
_GROWN = 1.25
"""So many times the objects that were left by the last collection of everything, and another looks at everything."""
_LONG_S = 0.5

_log = logging.getLogger(__name__)


class GarbageCollection:
    """The garbage collector of one server process.

    What outlives a collection of the middle generation is set aside, so that no later one walks over it again:
    connections, caches and modules live long, and are let go of by reference counting when they end. What was set aside
    and became part of a cycle that nobody holds waits for a collection of everything, and is at most a quarter of what
    the process holds.
    """

    def __init__(self) -> None:
        self._left = 0

    async def run(self) -> None:
        """Set the collector of this process up, and look again and again whether garbage may have gathered."""
        gc.set_threshold(*_YOUNG_AFTER)
        gc.callbacks.append(_set_aside)
        self.set_aside_all()
        while True:
            await asyncio.sleep(_PERIOD_S)
            self.collect_if_grown()

    def set_aside_all(self) -> None:
        """Take what there is for what is needed: of what was only just loaded hardly anything is garbage."""
        gc.freeze()
        self._left = gc.get_freeze_count()

    def collect_if_grown(self) -> None:
        """Collect everything when there is clearly more than was left the last time."""
        if gc.get_freeze_count() > self._left * _GROWN:
            self.collect_all()

    def collect_all(self) -> None:
        """Collect whatever can be, also of what was set aside."""
        begun_s = time.monotonic()
        gc.unfreeze()
        gc.collect()
        self.set_aside_all()
        if (took_s := time.monotonic() - begun_s) > _LONG_S:
            _log.warning("a collection of garbage took long", extra={"duration_ms": round(took_s * 1000, 1)})


def _set_aside(phase: str, about: dict[str, Any]) -> None:
    """Called by Python before and after each collection."""
    if phase == "stop" and about["generation"] == _MIDDLE:
        gc.freeze()
