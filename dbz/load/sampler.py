"""Asking the target how it is, once a second: a health probe, and its own metrics where it has some."""

from __future__ import annotations

import http.client
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from dbz.runs.record import LineFile

PERIOD_S = 1.0
_TIMEOUT_S = 1.0


class Sampler:
    """Samples a target in a thread until it is stopped; a context manager.

    A target without `/healthz` gets no probes, one without `/metrics` has no server figures: both are then not
    measured, which is not the same as good.
    """

    def __init__(self, url: str, path: Path, started_s: float) -> None:
        self._parts = urlsplit(url)
        self._file = LineFile(path)
        self._started_s = started_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._has_health = self._get("/healthz")[0] == 200
        self._previous: TargetMetrics | None = None
        self._has_metrics = self._metrics() is not None

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(PERIOD_S + 2 * _TIMEOUT_S)
        self._file.close()

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._ended.wait(max(due_s - time.monotonic(), 0)):
            due_s = max(due_s + PERIOD_S, time.monotonic())
            line = self._sample()
            if line and not self._ended.is_set():
                self._file.write({"t": round(time.monotonic() - self._started_s, 3), **line})

    def _sample(self) -> dict[str, Any]:
        line: dict[str, Any] = {}
        if self._has_health:
            line["up"] = self._get("/healthz")[0] == 200
        current = self._metrics() if self._has_metrics else None
        if current is not None:
            previous, self._previous = self._previous, current
            if previous is not None:
                line |= current.since(previous)
        return line

    def _metrics(self) -> TargetMetrics | None:
        status, body = self._get("/metrics")
        if status != 200:
            return None
        try:
            return TargetMetrics(time.monotonic(), text_string_to_metric_families(body.decode()))
        except ValueError:
            return None

    def _get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 when there was no answer in time."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"{self._parts.path}{path}")
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


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
