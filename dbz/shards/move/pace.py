"""The pace of copying: in which hours, below a rate, below a share of the stores' time, below what the stores bear."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
    """Keeps copying below a rate, and below a share of the stores' time; None means as fast as they can.

    Within `watching` it also slows down when a shard answers later than it did before, or than `max_latency_s`.
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
        self._usual_ms: dict[str, float] = {}
        self._probe: Probe | None = None
        self._bytes = 0
        self._decided_at = self._cut_at = 0.0
        self.slowed: Slowed | None = None

    def allow(self, rate_bytes_per_s: float | None) -> None:
        """Another highest rate from now on; the same one changes nothing."""
        if (self._control.most if self._control else None) != rate_bytes_per_s:
            self._control = RateControl(rate_bytes_per_s) if rate_bytes_per_s is not None else None
            self.slowed = None

    @property
    def batch_docs(self) -> int:
        """Documents at once: short batches let the app's requests in between."""
        return _BATCH_DOCS if self._control is None else int(_GENTLE_DOCS * self._control.grain)

    @property
    def batch_bytes(self) -> int:
        """Bytes at once."""
        if self._control is None:
            return _BATCH_BYTES
        even = min(_BATCH_BYTES, max(_LEAST_BATCH_BYTES, self._control.limit * _BATCH_S))
        return int(even * self._control.grain)

    @contextmanager
    def watching(self, deployment: Deployment, *shards: str) -> Iterator[None]:
        """Mind these shards within this block. What is usual is measured first, once for each shard."""
        if self._control is None:
            yield
            return
        with Probe(deployment, shards) as probe:
            self._learn(probe)
            self._probe, self._bytes = probe, 0
            self._decided_at = self._cut_at = time.monotonic()
            try:
                yield
            finally:
                self._probe = None

    def rest(self, size_bytes: int, took_s: float) -> None:
        """Wait after a batch; not to the end when all is to stop."""
        if self._control is None:
            return
        self._bytes += size_bytes
        self._decide(self._control)
        pause_s = max(took_s * (1 / _BUSY_SHARE - 1), size_bytes / self._control.limit - took_s)
        end = time.monotonic() + pause_s
        while (left_s := end - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(left_s, _NAP_S))

    def reading(self, cursor: Any, met: Callable[[int], None]) -> Iterator[Any]:
        """The raw documents of a cursor, in batches, each told by its bytes and followed by a rest."""
        begin, docs, size_bytes = time.perf_counter(), 0, 0
        with cursor.batch_size(self.batch_docs) as documents:
            for document in documents:
                docs, size_bytes = docs + 1, size_bytes + len(document.raw)
                yield document
                if docs >= self.batch_docs or size_bytes >= self.batch_bytes:
                    took_s = time.perf_counter() - begin
                    met(size_bytes)
                    self.rest(size_bytes, took_s)
                    begin, docs, size_bytes = time.perf_counter(), 0, 0
        met(size_bytes)

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
        if self._probe is None or now - self._decided_at < _DECIDE_EVERY_S:
            return
        worst = self._worst(self._probe, max(self._cut_at, now - 3 * _DECIDE_EVERY_S))
        if worst is None:
            return
        in_time = worst.latency_ms <= worst.allowed_ms
        limit = control.hear(in_time=in_time, copied_bytes_per_s=self._bytes / (now - self._decided_at))
        self._bytes, self._decided_at = 0, now
        if not in_time:
            self._cut_at = now
        late = worst if not in_time else self.slowed
        self.slowed = replace(late, limit_bytes_per_s=limit) if late and limit < control.most else None

    def _worst(self, probe: Probe, since: float) -> Slowed | None:
        """The shard that answers latest in relation to what it may; None before enough is known."""
        found = []
        for shard, usual_ms in self._usual_ms.items():
            if shard in probe.shards and (answers := probe.answers_ms(shard, since)):
                limit_ms = self._max_latency_s * 1000 if self._max_latency_s is not None else allowed_ms(usual_ms)
                found.append(Slowed(0.0, shard, p95_ms(answers), usual_ms, limit_ms))
        return max(found, key=lambda one: one.latency_ms / one.allowed_ms, default=None)


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
