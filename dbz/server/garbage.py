"""When a server process looks for garbage that lies in cycles: seldom, and at no more objects than it must."""

from __future__ import annotations

import asyncio
import gc
import logging
import time

_YOUNG_AFTER = (20_000, 20, 1_000_000_000)
"""Allocations until a collection of the youngest objects, collections of these until one of the middle ones, and of
those until one of all, which is never: by default it comes every few seconds, and stops the process for as long as a
walk over everything that a thousand connections hold takes, a fifth of a second."""
_PERIOD_S = 30.0
_ALL_EVERY = 20
"""So many of our collections look at what is new since the last one, then one looks at everything."""
_LONG_S = 0.5

_log = logging.getLogger(__name__)


class GarbageCollection:
    """The garbage collector of one server process.

    What outlives a collection is set aside, so that the next does not walk over it again: connections, caches and
    modules live long, and are let go of by reference counting when they end. What was set aside and became part of a
    cycle that nobody holds waits for the next collection of everything, ten minutes at most.
    """

    def __init__(self) -> None:
        self._until_all = _ALL_EVERY

    async def run(self) -> None:
        """Collect again and again, in place of Python's own collections of the oldest objects."""
        gc.set_threshold(*_YOUNG_AFTER)
        while True:
            self._collect_new()
            await asyncio.sleep(_PERIOD_S)
            self._until_all -= 1
            if not self._until_all:
                self.collect_all()

    def collect_all(self) -> None:
        """Collect whatever can be, also of what was set aside."""
        self._until_all = _ALL_EVERY
        gc.unfreeze()
        self._collect_new()

    def _collect_new(self) -> None:
        begun_s = time.monotonic()
        gc.collect()
        gc.freeze()
        if (took_s := time.monotonic() - begun_s) > _LONG_S:
            _log.warning("a collection of garbage took long", extra={"duration_ms": round(took_s * 1000, 1)})
