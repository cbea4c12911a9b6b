"""Metrics of a running load over OTLP (HTTP, protobuf), to any OpenTelemetry collector; needs the extra `otlp`.

dbz.attempts{kind, operation, outcome}      counter
dbz.latency{kind, operation}                histogram of successes, in seconds
dbz.counter{name}                           counter, of what the scenario counted
dbz.users, dbz.generator.cpu                gauges
dbz.budget.value, .limit, .broken {budget}  gauges, over the judged part so far

By the rules of Prometheus and OpenTelemetry for each other's names these become the metrics of the Prometheus
endpoint, so one dashboard shows both. They are put together by hand because the SDK counts one value at a time: with
thousands a second it would take more of a core than the load itself.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Self

from dbz.errors import DependencyError
from dbz.extras import INSTALL
from dbz.masking import masked_url
from dbz.measure.budget.budgets import Budget
from dbz.report.live.totals import BOUNDS_S, BUDGET_GAUGES, RunTotals, budget_values
from dbz.runs.storage.reading import Record
from dbz.units import counted

_PERIOD_S = 5.0
_TIMEOUT_S = 2.0

try:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        HistogramDataPoint,
        Metric,
        MetricExportResult,
        MetricsData,
        NumberDataPoint,
        ResourceMetrics,
        ScopeMetrics,
        Sum,
    )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
except ImportError as error:
    raise DependencyError("--otlp needs OpenTelemetry", hint=INSTALL["otlp"], code="E014") from error

Labelled = tuple[Mapping[str, str], float]


class OtlpStream:
    """Sends the metrics of a run every five seconds while it is entered, and once more at its end.

    A collector that fails never disturbs the load; how often it failed is said once, at the end.
    """

    def __init__(self, endpoint: str, budgets: Sequence[Budget]) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._endpoint = endpoint
        self._totals = RunTotals(budgets)
        self._exporter = OTLPMetricExporter(endpoint=endpoint, timeout=_TIMEOUT_S)
        self._resource = Resource.create({"service.name": "dbz"})
        self._began_ns = time.time_ns()
        self._over = Event()
        self._thread = Thread(target=self._repeat, name="dbz-otlp", daemon=True)
        self._failures = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._export()
        self._exporter.shutdown()
        if self._failures:
            sys.stderr.write(
                f"OTLP: exports to {masked_url(self._endpoint)} failed {counted(self._failures, 'time')}\n"
            )

    def update(self, record: Record, _elapsed_s: float = 0.0, _planned_s: float = 0.0) -> None:
        """Take in what was added to the record since the last call."""
        self._totals.update(record)

    def _repeat(self) -> None:
        while not self._over.wait(_PERIOD_S):
            self._export()

    def _export(self) -> None:
        with self._totals.lock:
            metrics = list(self._metrics(time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope("dbz"), metrics, "")
        taken = self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))
        self._failures += taken is not MetricExportResult.SUCCESS

    def _metrics(self, now_ns: int) -> Iterator[Metric]:
        totals, cumulative = self._totals, AggregationTemporality.CUMULATIVE
        counts = [
            ({"kind": kind, "operation": operation, "outcome": outcome}, count)
            for (kind, operation, outcome), count in totals.counts.items()
        ]
        attempts = Sum(self._points(counts, now_ns), cumulative, is_monotonic=True)
        yield Metric("dbz.attempts", "Attempts that ended", "{attempt}", attempts)
        yield Metric("dbz.latency", "Latency of successes", "s", Histogram(self._latencies(now_ns), cumulative))
        counted = [({"name": name}, one.total) for name, one in totals.figures.counters().items()]
        counters = Sum(self._points(counted, now_ns), cumulative, is_monotonic=True)
        yield Metric("dbz.counter", "What the scenario counted", "", counters)
        yield self._gauge("dbz.users", "Virtual users running", "{user}", [({}, totals.figures.users)], now_ns)
        cpu = totals.figures.generator_cpu_percent / 100
        yield self._gauge("dbz.generator.cpu", "CPU of the busiest worker, of a core", "1", [({}, cpu)], now_ns)
        shown = [(verdict.budget.name, budget_values(verdict)) for verdict in totals.figures.verdicts]
        for at, (name, text) in enumerate(BUDGET_GAUGES.items()):
            values = [({"budget": budget}, found[at]) for budget, found in shown if found]
            yield self._gauge(f"dbz.budget.{name}", text, "", values, now_ns)

    def _gauge(self, name: str, text: str, unit: str, values: Iterable[Labelled], now_ns: int) -> Metric:
        return Metric(name, text, unit, Gauge(self._points(values, now_ns)))

    def _points(self, values: Iterable[Labelled], now_ns: int) -> list[NumberDataPoint]:
        return [NumberDataPoint(dict(labels), self._began_ns, now_ns, value) for labels, value in values]

    def _latencies(self, now_ns: int) -> list[HistogramDataPoint]:
        return [
            HistogramDataPoint(
                attributes={"kind": kind, "operation": operation},
                start_time_unix_nano=self._began_ns,
                time_unix_nano=now_ns,
                count=spread.count,
                sum=spread.sum_s,
                bucket_counts=tuple(spread.counts),
                explicit_bounds=BOUNDS_S,
                min=spread.low_s,
                max=spread.high_s,
            )
            for (kind, operation), spread in self._totals.spreads.items()
        ]
