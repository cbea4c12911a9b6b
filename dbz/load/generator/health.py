"""How well the generator itself is doing: CPU, and how late its event loop wakes up."""

from __future__ import annotations

import time

import gevent

from dbz.load.generator.recorder import Recorder
from dbz.measure.series import GENERATOR

_PROBE_S = 0.02


class Health:
    """Measures this process for as long as it runs; lag goes to the recorder as the series `generator:lag`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._cpu_s = time.process_time()
        self._at_s = time.monotonic()

    def probe(self) -> None:
        """Sleep again and again, and record by how much each sleep was too long. Never returns."""
        while True:
            due = time.monotonic() + _PROBE_S
            gevent.sleep(_PROBE_S)
            self._recorder.success(GENERATOR, "lag", max(time.monotonic() - due, 0.0))

    def cpu_percent(self) -> float:
        """CPU of this process since the last call, in per cent of one core."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / max(at_s - self._at_s, 1e-6)
        self._cpu_s, self._at_s = cpu_s, at_s
        return round(share * 100, 1)
