"""A Prometheus endpoint of a running load, so that it appears beside the server's own metrics.

dbz_attempts_total{kind, operation, outcome}      outcome is ok or failed
dbz_latency_seconds{kind, operation}              histogram of successes
dbz_counter_total{name}                           what the scenario counted
dbz_users                                         virtual users running
dbz_generator_cpu_ratio                           busiest worker, of a core
dbz_budget_value{budget}, dbz_budget_limit{budget}, dbz_budget_broken{budget}   over the judged part so far
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import start_http_server
from prometheus_client.registry import Collector, CollectorRegistry

from dbz.errors import UsageError
from dbz.measure.budget.budgets import Budget
from dbz.report.live.totals import BOUNDS_S, BUDGET_GAUGES, RunTotals, budget_values
from dbz.runs.storage.reading import Record


class MetricsEndpoint(Collector):
    """Serves `/metrics` on an address while it is entered; `update` takes in what is new in a record.

    `UsageError` when the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, budgets: Sequence[Budget]) -> None:
        self._address = (host, port)
        self._totals = RunTotals(budgets)

    def __enter__(self) -> Self:
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(self._address[1], self._address[0], registry)
        except OSError as error:
            where = f"{self._address[0]}:{self._address[1]}"
            raise UsageError(
                f"cannot serve metrics on {where}: {error.strerror}", hint="choose another port", code="E016"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_port)

    def update(self, record: Record, _elapsed_s: float = 0.0, _planned_s: float = 0.0) -> None:
        """Take in what was added to the record since the last call."""
        self._totals.update(record)

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now; called by the server for each scrape."""
        with self._totals.lock:
            yield self._attempts()
            yield self._latencies()
            yield self._counters()
            yield from self._health()
            yield from self._budgets()

    def _attempts(self) -> Metric:
        family = CounterMetricFamily("dbz_attempts", "Attempts that ended", labels=["kind", "operation", "outcome"])
        for labels, count in self._totals.counts.items():
            family.add_metric(labels, count)
        return family

    def _latencies(self) -> Metric:
        family = HistogramMetricFamily("dbz_latency_seconds", "Latency of successes", labels=["kind", "operation"])
        for labels, spread in self._totals.spreads.items():
            total, rows = 0, []
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), spread.counts, strict=True):
                total += count
                rows.append((bound, float(total)))
            family.add_metric(labels, rows, spread.sum_s)
        return family

    def _counters(self) -> Metric:
        family = CounterMetricFamily("dbz_counter", "What the scenario counted", labels=["name"])
        for name, counter in self._totals.figures.counters().items():
            family.add_metric([name], counter.total)
        return family

    def _health(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("dbz_users", "Virtual users running", value=self._totals.figures.users)
        cpu = self._totals.figures.generator_cpu_percent / 100
        yield GaugeMetricFamily("dbz_generator_cpu_ratio", "CPU of the busiest worker, of a core", value=cpu)

    def _budgets(self) -> Iterator[Metric]:
        families = [
            GaugeMetricFamily(f"dbz_budget_{name}", text, labels=["budget"]) for name, text in BUDGET_GAUGES.items()
        ]
        for verdict in self._totals.figures.verdicts:
            for family, value in zip(families, budget_values(verdict) or (), strict=False):
                family.add_metric([verdict.budget.name], value)
        yield from families
