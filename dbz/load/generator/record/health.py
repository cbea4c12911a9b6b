"""How well the generator itself is doing: CPU, and how late its event loop wakes up."""

from __future__ import annotations

import gc
import time

import gevent

from dbz.load.generator.record.recorder import Recorder
from dbz.measure.latency.series import GENERATOR

_PROBE_S = 0.02
_COLLECT_AFTER = (1_000, 5, 1_600)
"""Allocations until a collection of the young, collections of these until one of the middle ones, and of those until
one of all, which is far rarer than by default. Almost nothing that a user makes is a cycle, and a walk over all that
thousands of users hold stops them all. So does one over what ten times 2,000 allocations leave, which is 30 ms of a
slow core: few at a time are less in all, too, because the processor has them at hand."""


class Health:
    """Measures this process for as long as it runs; lag goes to the recorder as the series `generator:lag`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._cpu_s = time.process_time()
        self._at_s = self._collection_s = time.monotonic()

    def probe(self) -> None:
        """Sleep again and again, and record by how much each sleep was too long. Never returns."""
        while True:
            due = time.monotonic() + _PROBE_S
            gevent.sleep(_PROBE_S)
            self._recorder.success(GENERATOR, "lag", max(time.monotonic() - due, 0.0))

    def watch_collections(self) -> None:
        """Make pauses of the garbage collector rare, and record each as the series `generator:gc`."""
        gc.set_threshold(*_COLLECT_AFTER)
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collection_s = time.monotonic()
        else:
            self._recorder.success(GENERATOR, "gc", time.monotonic() - self._collection_s)

    def settle(self) -> None:
        """Users live to the end of the run: no later collection walks over what they are made of."""
        gc.collect()
        gc.freeze()

    def cpu_percent(self) -> float:
        """CPU of this process since the last call, in per cent of one core."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / max(at_s - self._at_s, 1e-6)
        self._cpu_s, self._at_s = cpu_s, at_s
        return round(share * 100, 1)
