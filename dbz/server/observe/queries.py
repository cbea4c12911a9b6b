"""Every query is timed by name."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from dbz.server.observe.metrics import Figures

_log = logging.getLogger(__name__)


class Queries:
    """Counts calls, durations, errors and slow ones (logged) of the named queries of one process."""

    def __init__(self, figures: Figures, slow_ms: float) -> None:
        self._figures = figures
        self._slow_s = slow_ms / 1000

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time the query that runs inside the block."""
        labels = (name,)
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            self._figures.query_errors.add(labels)
            raise
        finally:
            seconds = time.perf_counter() - start
            self._figures.query_durations.observe(labels, seconds)
            if seconds > self._slow_s:
                self._figures.query_slow.add(labels)
                _log.warning("slow query", extra={"query": name, "duration_ms": round(seconds * 1000, 1)})
