"""Metrics of a running load over OTLP (HTTP, protobuf), to any OpenTelemetry collector; needs the extra `otlp`.

dbz.attempts{kind, operation, outcome}       counter
dbz.latency{kind, percentile}                ms, over the last ten seconds
dbz.users, dbz.generator.cpu                 now
dbz.budget.used{budget}                      measured so far, as a share of the limit
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from dbz.errors import DependencyError
from dbz.measure.budgets import Budget
from dbz.report.totals import Totals
from dbz.runs.reading import Record

_PERIOD_MS = 5000
_PERCENTS = (50, 95, 99)

try:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
except ImportError as error:
    raise DependencyError("--otlp needs OpenTelemetry", hint="pip install 'dbz[otlp]'") from error


class _CountingExporter(OTLPMetricExporter):
    """Remembers how many exports failed, so that this is said once and not for each."""

    failures = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 5000, **more: Any) -> MetricExportResult:
        """Send one batch."""
        result = super().export(metrics_data, timeout_millis, **more)
        self.failures += result is not MetricExportResult.SUCCESS
        return result


class OtlpStream:
    """Sends the metrics of a run every five seconds while it is entered, and once more at its end."""

    def __init__(self, endpoint: str, budgets: Sequence[Budget]) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._endpoint = endpoint
        self._totals = Totals(budgets)
        self._exporter = _CountingExporter(endpoint=endpoint, timeout=2)
        reader = PeriodicExportingMetricReader(self._exporter, export_interval_millis=_PERIOD_MS)
        self._provider = MeterProvider([reader], Resource.create({"service.name": "dbz"}), shutdown_on_exit=False)
        meter = self._provider.get_meter("dbz")
        meter.create_observable_counter("dbz.attempts", [self._attempts])
        meter.create_observable_gauge("dbz.latency", [self._latency], unit="ms")
        meter.create_observable_gauge("dbz.users", [lambda _: [Observation(self._totals.figures.users)]])
        meter.create_observable_gauge("dbz.generator.cpu", [self._cpu])
        meter.create_observable_gauge("dbz.budget.used", [self._budgets])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._provider.shutdown()
        if self._exporter.failures:
            sys.stderr.write(f"OTLP: {self._exporter.failures} exports to {self._endpoint} failed\n")

    def update(self, record: Record, _elapsed_s: float = 0.0, _planned_s: float = 0.0) -> None:
        """Take in what was added to the record since the last call."""
        self._totals.update(record)

    def _attempts(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._totals.lock:
            return [
                Observation(count, {"kind": kind, "operation": operation, "outcome": outcome})
                for (kind, operation, outcome), count in self._totals.counts.items()
            ]

    def _latency(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._totals.lock:
            recent = self._totals.figures.recent()
            found = [(kind, at, latency.percentile_ms(at)) for kind, latency in recent.items() for at in _PERCENTS]
        return [Observation(ms, {"kind": kind, "percentile": at}) for kind, at, ms in found if not math.isinf(ms)]

    def _cpu(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._totals.figures.generator_cpu_percent / 100)]

    def _budgets(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._totals.lock:
            verdicts = list(self._totals.figures.verdicts)
        return [
            Observation(one.value / one.budget.limit.value, {"budget": one.budget.name})
            for one in verdicts
            if one.value is not None and one.budget.limit.value > 0 and not math.isinf(one.value)
        ]
