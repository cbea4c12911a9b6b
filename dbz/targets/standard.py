"""Standard names of what a server tells of itself, and how the value of each becomes a figure.

From the sources of prometheus-client (Python, Go, Ruby and others share its names), prom-client (Node), the semantic
conventions of OpenTelemetry in their Prometheus spelling, with and without units, and micrometer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbz.config.load.metrics import UNITS, NamedFigure, parse_metric_name
from dbz.targets.exposition import plain_name


class Figure(StrEnum):
    """What can be known of a server, by the names that profiles and sources use."""

    CPU = "cpu"
    MEMORY = "memory"
    CONNECTIONS = "connections"
    EVENT_LOOP_LAG = "event_loop_lag"
    ACTIVE_REQUESTS = "active_requests"
    QUERIES = "queries"

    @property
    def second_field(self) -> str:
        """What a second of an instance calls it."""
        fields = {"cpu": "used_cores", "memory": "memory_bytes", "event_loop_lag": "event_loop_lag_ms"}
        return fields.get(self.value, self.value)


class Form(StrEnum):
    """How a metric tells its figure."""

    COUNTER = "counter"
    """Grows: what was added in a second counts. CPU only."""
    GAUGE = "gauge"
    """The value itself."""
    HISTOGRAM = "histogram"
    """Buckets by upper bound, with a sum."""


@dataclass(frozen=True)
class FigureRule:
    """A metric that gives a figure."""

    figure: Figure
    name: str
    """Of a histogram, without `_bucket`."""
    form: Form = Form.GAUGE
    factor: float = 1.0
    """From a value to the unit of the figure: seconds of CPU or shares of all cores, bytes, milliseconds of lag,
    seconds of a query."""
    where: tuple[tuple[str, str], ...] = ()
    """Labels that a sample must have."""
    labels: tuple[str, ...] = ()
    """Of queries: the labels whose values make their names; empty for all of them."""
    note: str = ""
    """What a reader should know of it."""
    prefixed: bool = False
    """Whether a prefix is usual, as with `collectDefaultMetrics({prefix: "app_"})`."""
    in_cores: bool = False
    """Of a gauge of CPU: whether it tells used cores, and not a share of all."""

    @property
    def samples_of(self) -> str:
        """The name that its samples have."""
        return f"{self.name}_bucket" if self.form is Form.HISTOGRAM else self.name


def _cpu(*names: str, factor: float = 1.0) -> list[FigureRule]:
    return [FigureRule(Figure.CPU, name, Form.COUNTER, factor, prefixed=True) for name in names]


def _memory(name: str, note: str = "", *, prefixed: bool = True, where: Mapping[str, str] | None = None) -> FigureRule:
    return FigureRule(Figure.MEMORY, name, where=tuple((where or {}).items()), note=note, prefixed=prefixed)


_RSS = {"type": "rss"}
_OF_THE_JVM = "heap and other pools of the JVM, not all of its resident memory"
_DATABASE_LABELS = ("db_operation_name", "db_collection_name")

RULES: Sequence[FigureRule] = (
    *_cpu("dbz_process_cpu_seconds_total", "process_cpu_seconds_total"),
    *_cpu("process_cpu_time_seconds_total", "process_cpu_time_total", "process_cpu_time"),
    *_cpu("process_cpu_time_ns_total", factor=1e-9),
    *_cpu("process_runtime_cpython_cpu_time_seconds_total", "process_runtime_cpython_cpu_time_total"),
    *_cpu("jvm_cpu_time_seconds_total", "jvm_cpu_time_total", "jvm_cpu_time"),
    *_cpu("dotnet_process_cpu_time_seconds_total", "dotnet_process_cpu_time_total"),
    FigureRule(Figure.CPU, "process_cpu_usage"),
    FigureRule(Figure.CPU, "process_cpu_utilization_ratio"),
    FigureRule(Figure.CPU, "process_cpu_utilization"),
    FigureRule(Figure.CPU, "jvm_cpu_recent_utilization_ratio"),
    FigureRule(Figure.CPU, "jvm_cpu_recent_utilization"),
    _memory("dbz_process_resident_memory_bytes"),
    _memory("process_resident_memory_bytes"),
    _memory("process_memory_usage_bytes"),
    _memory("process_memory_usage"),
    _memory("process_memory_rss_bytes"),
    _memory("process_runtime_cpython_memory_bytes", where=_RSS),
    _memory("process_runtime_cpython_memory", where=_RSS),
    _memory("dotnet_process_memory_working_set_bytes"),
    _memory("dotnet_process_memory_working_set"),
    _memory("jvm_memory_used_bytes", _OF_THE_JVM, prefixed=False),
    _memory("jvm_memory_used", _OF_THE_JVM, prefixed=False),
    FigureRule(Figure.CONNECTIONS, "dbz_socket_connections"),
    FigureRule(Figure.CONNECTIONS, "socket_io_connected"),
    FigureRule(Figure.CONNECTIONS, "kestrel_active_connections"),
    FigureRule(Figure.CONNECTIONS, "tomcat_connections_current_connections"),
    FigureRule(Figure.CONNECTIONS, "jetty_connections_current_connections"),
    FigureRule(Figure.EVENT_LOOP_LAG, "nodejs_eventloop_lag_p99_seconds", factor=1e3, prefixed=True),
    FigureRule(Figure.EVENT_LOOP_LAG, "nodejs_eventloop_delay_p99_seconds", factor=1e3, prefixed=True),
    FigureRule(Figure.EVENT_LOOP_LAG, "nodejs_eventloop_delay_p99", factor=1e3, prefixed=True),
    FigureRule(Figure.EVENT_LOOP_LAG, "nodejs_eventloop_lag_seconds", factor=1e3, prefixed=True),
    FigureRule(Figure.ACTIVE_REQUESTS, "http_server_active_requests"),
    FigureRule(Figure.ACTIVE_REQUESTS, "http_server_requests_active_seconds_active_count"),
    FigureRule(Figure.ACTIVE_REQUESTS, "http_server_requests_active_seconds_count"),
    FigureRule(Figure.QUERIES, "dbz_query_duration_seconds", Form.HISTOGRAM, labels=("name",)),
    FigureRule(Figure.QUERIES, "db_client_operation_duration_seconds", Form.HISTOGRAM, labels=_DATABASE_LABELS),
    FigureRule(Figure.QUERIES, "db_client_operation_duration", Form.HISTOGRAM, labels=_DATABASE_LABELS),
    FigureRule(
        Figure.QUERIES,
        "spring_data_repository_invocations_seconds",
        Form.HISTOGRAM,
        labels=("repository", "method"),
    ),
    FigureRule(Figure.QUERIES, "prisma_client_queries_duration_histogram_ms", Form.HISTOGRAM, 1e-3, labels=("model",)),
)
"""For each figure the best metric first: the first one that a page has is taken, so that nothing counts twice."""

CORES = (
    "dbz_server_cores",
    "system_cpu_count",
    "jvm_cpu_count",
    "dotnet_process_cpu_count",
    "go_sched_gomaxprocs_threads",
    "go_processor_limit",
)
"""Gauges that tell how many cores a process may use."""
STARTED = "process_start_time_seconds"
"""When the process began that tells: by it one process is told from another."""
ONE_CORE_MARKS = ("nodejs_version_info", "v8js_memory_heap_used", "python_info", "nodejs_eventloop_utilization")
"""Metrics of runtimes of which a process runs its code on one core at a time."""
MODE_LABELS = frozenset(("cpu_mode", "mode", "state", "type", "process_cpu_state", "process_cpu_mode", "cpu"))
"""Labels that divide the CPU time of one process."""
NOT_USED = frozenset(("idle", "wait", "iowait"))
"""Values of those labels under which nothing was used."""

_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "nanoseconds": ("_nanoseconds", "_ns"),
    "microseconds": ("_microseconds", "_us"),
    "milliseconds": ("_milliseconds", "_millis", "_ms"),
    "seconds": ("_seconds", "_s"),
    "cores": ("_cores",),
    "percent": ("_percent", "_percentage", "_pct"),
    "share": ("_ratio", "_share", "_utilization", "_usage"),
    "kilobytes": ("_kilobytes", "_kb"),
    "megabytes": ("_megabytes", "_mb"),
    "bytes": ("_bytes",),
}
_FACTORS: Mapping[str, float] = {
    "nanoseconds": 1e-9,
    "microseconds": 1e-6,
    "milliseconds": 1e-3,
    "percent": 1e-2,
    "kilobytes": 1e3,
    "megabytes": 1e6,
}
_UNIT_OF = {
    Figure.MEMORY: "bytes",
    Figure.EVENT_LOOP_LAG: "seconds",
    Figure.QUERIES: "seconds",
    Figure.CONNECTIONS: "count",
    Figure.ACTIVE_REQUESTS: "count",
}
_TIMES = frozenset(("seconds", "milliseconds", "microseconds", "nanoseconds"))


def rule_of(figure: Figure, named: NamedFigure, kind: str = "") -> FigureRule:
    """The rule for a metric that a profile names; `kind` is what the exposition says of it, `counter` or `gauge`.

    A counter of CPU is told by its unit of time, by its kind, or by its name, which ends in `_total`.
    """
    written, where = parse_metric_name(named.name)
    name = plain_name(written)
    labels = (plain_name(named.label),) if named.label else ()
    counts = name.endswith("_total") or kind == "counter"
    unit = named.unit or _unit_by(name.removesuffix("_total"), figure, counts=counts)
    form = Form.HISTOGRAM if figure is Figure.QUERIES else Form.GAUGE
    if figure is Figure.CPU and unit in _TIMES:
        form = Form.COUNTER
    if form is Form.HISTOGRAM:
        name = name.removesuffix("_bucket")
    factor = _FACTORS.get(unit, 1.0) * (1e3 if figure is Figure.EVENT_LOOP_LAG else 1.0)
    conditions = tuple((plain_name(key), value) for key, value in where.items())
    return FigureRule(figure, name, form, factor, conditions, labels, in_cores=unit == "cores")


def _unit_by(name: str, figure: Figure, *, counts: bool) -> str:
    """The unit that the end of a name tells, or the usual one of the figure."""
    allowed = _TIMES if figure is Figure.CPU and counts else UNITS[figure]
    for unit, endings in _ENDINGS.items():
        if unit in allowed and name.endswith(endings):
            return unit
    return _UNIT_OF.get(figure) or ("seconds" if counts else "share")
