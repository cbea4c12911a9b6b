"""Asking the target how it is, once a second: a health probe, and its own metrics where it has some."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from dbz.load.probing import ProbeAnswer, ask
from dbz.runs.record import LineFile

PERIOD_S = 1.0
HEALTH, METRICS = "/healthz", "/metrics"
_AFTER_THE_SECOND_S = 0.05
"""When in each second of the run it is asked: with the deadline of an answer after it, all of it is in one second."""
_NOT_FOUND = 404
_OURS = ("dbz_", "# TYPE dbz_", "# HELP dbz_")
"""How lines of the metrics begin that mean something here; whatever else there is need not be well-formed, or small."""


class Sampler:
    """Samples a target in a thread until it is stopped; a context manager.

    Whatever the target sends, and whatever becomes of the disk, it goes on asking: a second without a line means that
    dbz itself stood still or could not write. A target that answers the health probe with 404 has none, one without
    `/metrics` has no server figures: both are then not measured, which is not the same as good.
    """

    def __init__(self, url: str, path: Path, started_s: float) -> None:
        self._url = url
        self._file = LineFile(path)
        self._started_s = started_s
        self._has_health = False
        self._previous: TargetMetrics | None = None
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._sample())
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self.unwritten = 0
        """Lines that could not be written."""

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(2 * PERIOD_S)
        self._file.close()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _sample(self) -> None:
        if not self._url.startswith(("http://", "https://")):
            return  # whatever speaks at a `tcp://` host of a scenario would not understand the question
        await asyncio.gather(self._each_second(self._health), self._each_second(self._metrics))

    async def _each_second(self, look: Callable[[], Awaitable[dict[str, Any] | None]]) -> None:
        """Look once in each second of the run, until a look gives None; write what it gives."""
        second = int(self._now_s) + 1
        while True:
            due_s = second + _AFTER_THE_SECOND_S
            await asyncio.sleep(max(due_s - self._now_s, 0.0))
            try:
                line = await look()
            except Exception as error:  # nothing that a target brings about may end the looking
                line = {"trouble": f"{type(error).__name__}: {error}"}
            if line is None:
                return
            if line:
                self._write({"t": due_s, **line})
            # Seconds that have passed meanwhile are left out: what is asked now says nothing of them.
            second = max(second + 1, int(self._now_s))

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._started_s

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(line)
        except (OSError, ValueError):  # the disk is full, or the run has ended
            self.unwritten += 1

    async def _health(self) -> dict[str, Any]:
        answer = await ask(self._url, HEALTH)
        self._has_health |= answer.status not in (0, _NOT_FOUND)
        if answer.status == _NOT_FOUND and not self._has_health:
            return {"health": _NOT_FOUND}
        up = 0 < answer.status < 500 and answer.status != _NOT_FOUND
        return {"health": answer.status or answer.trouble, "up": up}

    async def _metrics(self) -> dict[str, Any] | None:
        """The target's figures of the last second; None when it has none and need not be asked again."""
        answer = await ask(self._url, METRICS)
        if self._previous is None and 200 <= answer.status < 500 and not _figures(answer):
            return None
        if answer.status != 200:
            return {"metrics_trouble": answer.trouble or f"HTTP {answer.status}"}
        try:
            current = TargetMetrics(time.monotonic(), text_string_to_metric_families(_figures(answer)))
        except Exception as error:  # the parser raises what it likes on what is no metrics
            return {"metrics_trouble": f"cannot be read: {error}"}
        previous, self._previous = self._previous, current
        if not current:
            return {"metrics_trouble": "its figures have gone"}
        return current.since(previous) if previous is not None else {}


def _figures(answer: ProbeAnswer) -> str:
    """The lines of a metrics page that are about the figures we know; empty for any other page."""
    if answer.status != 200:
        return ""
    lines = answer.body.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if line.startswith(_OURS))


class TargetMetrics:
    """The figures of the reference server's `/metrics` at one moment (`at_s`, monotonic clock)."""

    def __init__(self, at_s: float, families: Iterable[Metric]) -> None:
        self.at_s = at_s
        self.cpu_s: dict[str, float] = {}
        self.memory_bytes: float | None = None
        self.cores: float | None = None
        self.connections: float | None = None
        self.query_buckets: defaultdict[str, dict[float, float]] = defaultdict(dict)
        self.query_sum_s: defaultdict[str, float] = defaultdict(float)
        for family in families:
            for sample in family.samples:
                self._take(sample.name, sample.labels, sample.value)

    def __bool__(self) -> bool:
        """Whether there was any figure that we know."""
        return bool(self.cpu_s or self.query_buckets) or self.memory_bytes is not None or self.connections is not None

    def _take(self, name: str, labels: dict[str, str], value: float) -> None:
        if name == "dbz_process_cpu_seconds_total":
            self.cpu_s[labels.get("pid", "")] = value
        elif name == "dbz_process_resident_memory_bytes":
            self.memory_bytes = (self.memory_bytes or 0.0) + value
        elif name == "dbz_server_cores":
            self.cores = value
        elif name == "dbz_socket_connections":
            self.connections = value
        elif name == "dbz_query_duration_seconds_bucket":
            self.query_buckets[labels["name"]][float(labels["le"])] = value
        elif name == "dbz_query_duration_seconds_sum":
            self.query_sum_s[labels["name"]] = value

    def since(self, earlier: TargetMetrics) -> dict[str, Any]:
        """What happened since an earlier moment, as a line of the record; processes that are new count from zero."""
        line: dict[str, Any] = {"memory_bytes": self.memory_bytes, "connections": self.connections}
        if self.cpu_s and self.cores:
            used_s = sum(max(value - earlier.cpu_s.get(pid, 0.0), 0.0) for pid, value in self.cpu_s.items())
            line["cpu_share"] = round(used_s / (self.at_s - earlier.at_s) / self.cores, 4)
        line["queries"] = {
            name: {"counts": counts, "sum_s": round(self.query_sum_s[name] - earlier.query_sum_s.get(name, 0.0), 6)}
            for name, buckets in self.query_buckets.items()
            if (counts := _counts_since(buckets, earlier.query_buckets.get(name, {})))
        }
        return line


def _counts_since(now: dict[float, float], before: dict[float, float]) -> dict[str, float]:
    """Counts by upper bound from two cumulative histograms; empty when nothing was counted."""
    counts: dict[str, float] = {}
    below = 0.0
    for bound in sorted(now):
        cumulative = max(now[bound] - before.get(bound, 0.0), 0.0)
        counts[str(bound)] = max(cumulative - below, 0.0)
        below = max(below, cumulative)
    return counts if below else {}
