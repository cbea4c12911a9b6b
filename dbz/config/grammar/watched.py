"""What a sentence can be about: the metrics, and the unit of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from dbz.units import format_ms, format_number, format_percent, format_rate


class Watched(StrEnum):
    """What a condition can be about; the value is how a sentence calls it."""

    CPU = "CPU"
    MEMORY = "memory"
    RESPONSE_TIME = "response time"
    """The mean of a period."""
    ERROR_RATE = "error rate"
    CONNECTIONS = "active connections"
    REQUESTS = "requests"
    P95_RESPONSE_TIME = "p95 response time"
    PEAK_RESPONSE_TIME = "peak response time"
    QUERY_TIME = "query time"
    P95_QUERY_TIME = "p95 query time"
    HIT_RATIO = "hit ratio"
    EVENT_LOOP_LAG = "event loop lag"
    PROBE_TIME = "probe time"
    EVICTIONS = "evictions"
    REPLICATION_LAG = "replication lag"
    SHARD_SKEW = "shard skew"
    """The heaviest shard over the mean of all."""
    QUEUE_DEPTH = "queue depth"
    PENDING_MESSAGES = "pending messages"
    RUNNING_TASKS = "running tasks"
    MISSING_TASKS = "missing tasks"
    """How many fewer run than are wanted."""
    ROUND_TRIP = "message round trip"
    """From a member's sending to another's receiving, the 95th percentile."""
    LOST_MESSAGES = "lost messages"


class MetricUnit(StrEnum):
    """In what a metric is measured."""

    SHARE = "share"
    """A fraction of one, written as a percentage."""
    TIME = "time"
    """Milliseconds."""
    RATE = "rate"
    """So many a second."""
    NUMBER = "number"


SCALABLE = (
    Watched.CPU,
    Watched.MEMORY,
    Watched.RESPONSE_TIME,
    Watched.ERROR_RATE,
    Watched.CONNECTIONS,
    Watched.REQUESTS,
)
"""The metrics that the scaling plan can follow: CloudWatch has them of a service."""

_UNITS = {
    MetricUnit.SHARE: (
        Watched.CPU,
        Watched.MEMORY,
        Watched.ERROR_RATE,
        Watched.HIT_RATIO,
        Watched.LOST_MESSAGES,
    ),
    MetricUnit.TIME: (
        Watched.RESPONSE_TIME,
        Watched.P95_RESPONSE_TIME,
        Watched.PEAK_RESPONSE_TIME,
        Watched.QUERY_TIME,
        Watched.P95_QUERY_TIME,
        Watched.EVENT_LOOP_LAG,
        Watched.PROBE_TIME,
        Watched.REPLICATION_LAG,
        Watched.ROUND_TRIP,
    ),
    MetricUnit.RATE: (Watched.REQUESTS, Watched.EVICTIONS),
}
UNIT_OF: Mapping[Watched, MetricUnit] = dict.fromkeys(Watched, MetricUnit.NUMBER) | {
    metric: unit for unit, metrics in _UNITS.items() for metric in metrics
}
"""The unit of each metric."""
SHARES = _UNITS[MetricUnit.SHARE]
"""Metrics that are fractions of one."""


_FORMS: Mapping[MetricUnit, Callable[[float], str]] = {
    MetricUnit.SHARE: lambda share: format_percent(float(f"{share:.3g}")),
    MetricUnit.TIME: format_ms,
    MetricUnit.RATE: format_rate,
    MetricUnit.NUMBER: format_number,
}


def value_text(metric: Watched, value: float) -> str:
    """A measured value with its unit."""
    return _FORMS[UNIT_OF[metric]](value)
