"""Counters of the cache, by layer and outcome."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator


class CacheStats:
    """Hits, misses and failures of the layers `local` and `remote`, and the loads behind them."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.loads = 0
        self.load_errors = 0
        self.load_s = 0.0

    def hit(self, layer: str, count: int = 1) -> None:
        """Count keys that `layer` had."""
        self.requests[layer, "hit"] += count

    def miss(self, layer: str, count: int = 1) -> None:
        """Count keys that `layer` did not have."""
        self.requests[layer, "miss"] += count

    def failed(self, layer: str, count: int = 1) -> None:
        """Count keys that `layer` could not be asked for."""
        self.requests[layer, "error"] += count

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Count and time one run of a loader."""
        start = time.perf_counter()
        self.loads += 1
        try:
            yield
        except BaseException:
            self.load_errors += 1
            raise
        finally:
            self.load_s += time.perf_counter() - start

    def snapshot(self) -> dict[str, dict[str, int]]:
        """{layer: {outcome: count}} of every layer and outcome, zeros included."""
        return {
            layer: {outcome: self.requests[layer, outcome] for outcome in ("hit", "miss", "error")}
            for layer in ("local", "remote")
        }
