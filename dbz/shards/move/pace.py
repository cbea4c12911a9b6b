"""The pace of copying: in which hours, below a rate, below a share of the stores' time, below what the stores bear."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from datetime import time as time_of_day
from typing import Any

from dbz.shards.deployment import Deployment
from dbz.shards.move.probe import Probe
from dbz.shards.move.throttle import RateControl, Slowed, allowed_ms, p95_ms

_BATCH_DOCS = 1000
_GENTLE_DOCS = 200
_BATCH_BYTES = 4_000_000
_LEAST_BATCH_BYTES = 50_000
_BATCH_S = 0.2
_BUSY_SHARE = 0.25  # of the time, when a rate is set: the rest belongs to the app
_BASELINE_S = 1.5
_DECIDE_EVERY_S = 1.0
_NAP_S = 0.1


class Pace:
    """Keeps all copying below a rate, and below a share of each store's time; None means as fast as they can.

    Within `watching` it also slows down when a shard answers later than it did before, or than `max_latency_s`. Moves
    that run beside each other, in threads, share one: the rate is that of all of them together.
    """

    def __init__(
        self,
        rate_bytes_per_s: float | None,
        max_latency_s: float | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._control = RateControl(rate_bytes_per_s) if rate_bytes_per_s is not None else None
        self._max_latency_s = max_latency_s
        self._stop = stop
        self._lock = threading.Lock()
        self._learning = threading.Lock()
        self._usual_ms: dict[str, float] = {}
        self._probes: list[Probe] = []
        self._busy: Counter[str] = Counter()
        self._bytes = 0
        self._free_at = 0.0
        self._decided_at = self._cut_at = 0.0
        self.slowed: Slowed | None = None

    def allow(self, rate_bytes_per_s: float | None) -> None:
        """Another highest rate from now on; the same one changes nothing."""
        with self._lock:
            if (self._control.most if self._control else None) != rate_bytes_per_s:
                self._control = RateControl(rate_bytes_per_s) if rate_bytes_per_s is not None else None
                self.slowed = None

    @property
    def batch_docs(self) -> int:
        """Documents at once: short batches let the app's requests in between."""
        control = self._control
        return _BATCH_DOCS if control is None else int(_GENTLE_DOCS * control.grain)

    @property
    def batch_bytes(self) -> int:
        """Bytes at once."""
        control = self._control
        if control is None:
            return _BATCH_BYTES
        even = min(_BATCH_BYTES, max(_LEAST_BATCH_BYTES, control.limit * _BATCH_S))
        return int(even * control.grain)

    @contextmanager
    def watching(self, deployment: Deployment, *shards: str) -> Iterator[PaceOnShards]:
        """Mind these shards within this block. What is usual is measured first, once for each shard."""
        with self._lock:
            self._busy.update(shards)
        try:
            with self._probing(deployment, *shards):
                yield PaceOnShards(self, shards)
        finally:
            with self._lock:
                self._busy.subtract(shards)

    @contextmanager
    def _probing(self, deployment: Deployment, *shards: str) -> Iterator[None]:
        if self._control is None:
            yield
            return
        with Probe(deployment, shards) as probe:
            with self._learning:  # what another move makes late is not usual
                self._learn(probe)
            with self._lock:
                if not self._probes:
                    self._bytes = 0
                    self._decided_at = self._cut_at = time.monotonic()
                self._probes.append(probe)
            try:
                yield
            finally:
                with self._lock:
                    self._probes.remove(probe)

    def rest(self, shards: Sequence[str], size_bytes: int, took_s: float) -> None:
        """Wait after a batch between these shards; not to the end when all is to stop."""
        with self._lock:
            if self._control is None:
                return
            self._bytes += size_bytes
            self._decide(self._control)
            now = time.monotonic()
            # As if the batches of all moves went through one pipe, one after the other.
            self._free_at = max(self._free_at, now - took_s) + size_bytes / self._control.limit
            share = _BUSY_SHARE / max([1, *(self._busy[shard] for shard in shards)])
            end = max(self._free_at, now + took_s * (1 / share - 1))
        while (left_s := end - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(left_s, _NAP_S))

    def _learn(self, probe: Probe) -> None:
        begin = time.monotonic()
        new = [name for name in probe.shards if name not in self._usual_ms]
        while new and time.monotonic() - begin < _BASELINE_S and not self._stop():
            time.sleep(_NAP_S)
        for name in new:
            if answers := probe.answers_ms(name, begin):
                self._usual_ms[name] = p95_ms(answers)

    def _decide(self, control: RateControl) -> None:
        """Once a second, by the answers since the last cut: earlier ones were to another rate."""
        now = time.monotonic()
        if not self._probes or now - self._decided_at < _DECIDE_EVERY_S:
            return
        worst = self._worst(max(self._cut_at, now - 3 * _DECIDE_EVERY_S))
        if worst is None:
            return
        in_time = worst.latency_ms <= worst.allowed_ms
        limit = control.hear(in_time=in_time, copied_bytes_per_s=self._bytes / (now - self._decided_at))
        self._bytes, self._decided_at = 0, now
        if not in_time:
            self._cut_at = now
        late = worst if not in_time else self.slowed
        self.slowed = replace(late, limit_bytes_per_s=limit) if late and limit < control.most else None

    def _worst(self, since: float) -> Slowed | None:
        """The shard that answers latest in relation to what it may; None before enough is known."""
        found = []
        for probe in self._probes:
            for shard in probe.shards:
                usual_ms = self._usual_ms.get(shard)
                if usual_ms is not None and (answers := probe.answers_ms(shard, since)):
                    limit_ms = self._max_latency_s * 1000 if self._max_latency_s is not None else allowed_ms(usual_ms)
                    found.append(Slowed(0.0, shard, p95_ms(answers), usual_ms, limit_ms))
        return max(found, key=lambda one: one.latency_ms / one.allowed_ms, default=None)


@dataclass(frozen=True)
class PaceOnShards:
    """The pace of one move, which takes its share of the time of its shards."""

    pace: Pace
    """What all moves share."""
    shards: tuple[str, ...]
    """Where this one reads and writes."""

    @property
    def batch_docs(self) -> int:
        """Documents at once."""
        return self.pace.batch_docs

    @property
    def batch_bytes(self) -> int:
        """Bytes at once."""
        return self.pace.batch_bytes

    def rest(self, size_bytes: int, took_s: float) -> None:
        """Wait after a batch."""
        self.pace.rest(self.shards, size_bytes, took_s)

    def reading(self, cursor: Any, met: Callable[[int, int], None]) -> Iterator[Any]:
        """The raw documents of a cursor, in batches, each told by its number and bytes and followed by a rest."""
        begin, docs, size_bytes = time.perf_counter(), 0, 0
        with cursor.batch_size(self.batch_docs) as documents:
            for document in documents:
                docs, size_bytes = docs + 1, size_bytes + len(document.raw)
                yield document
                if docs >= self.batch_docs or size_bytes >= self.batch_bytes:
                    took_s = time.perf_counter() - begin
                    met(docs, size_bytes)
                    self.rest(size_bytes, took_s)
                    begin, docs, size_bytes = time.perf_counter(), 0, 0
        met(docs, size_bytes)


_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)").fullmatch


def parse_window(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Callable[[], bool]:
    """Whether it is `01:00-05:00`, in UTC; the window may go over midnight. `ValueError` for other texts."""
    match = _FORM(text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a window; write for example 01:00-05:00 (UTC)")
    begin, end = (time_of_day(int(match[at]), int(match[at + 1])) for at in (1, 3))
    if begin == end:
        raise ValueError(f"'{text}' begins when it ends; leave it out to work at any time")

    def is_open() -> bool:
        moment = now().time()
        return begin <= moment < end if begin < end else moment >= begin or moment < end

    return is_open
