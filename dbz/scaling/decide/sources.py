"""Where `dbz scale auto` gets its samples: CloudWatch, or the servers' own metrics."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.phases import Scaling
from dbz.errors import DependencyError
from dbz.scaling.aws import Aws
from dbz.scaling.decide.rules import Sample
from dbz.scaling.native import error_rate_of, queries_for

_TIMEOUT_S = 5.0
_MOST_PERIODS = 1440


class SampleSource(Protocol):
    """Gives samples, one a period, each at the end of its period in seconds since 1970."""

    def since(self, after_s: float, now_s: float, tasks: Callable[[float], int]) -> list[Sample]:
        """The samples of complete periods that ended after `after_s` and until `now_s`, oldest first.

        `tasks` says how many tasks ran at a time. A source that knows its past gives the same periods again as often as
        it is asked, with what has come meanwhile. Raises `DependencyError` when the source cannot be asked.
        """


class CloudWatchSource:
    """The metrics that the conditions are about, as the native alarms would see them."""

    def __init__(self, aws: Aws, scaling: Scaling, conditions: Iterable[Condition]) -> None:
        self._aws = aws
        self._period_s = scaling.period
        self._queries: dict[Watched, list[dict[str, Any]]] = {}
        for condition in conditions:
            if condition.metric not in self._queries:
                name = f"q{len(self._queries)}"
                self._queries[condition.metric] = queries_for(condition.metric, scaling, name)

    def since(self, after_s: float, now_s: float, tasks: Callable[[float], int]) -> list[Sample]:
        """One sample a period; a metric without a datapoint is None in it."""
        period_s = self._period_s
        end_s = now_s // period_s * period_s
        begin_s = max(after_s // period_s * period_s, end_s - _MOST_PERIODS * period_s)
        if end_s <= begin_s or not self._queries:
            return []
        queries = [{**one, "ReturnData": True} for some in self._queries.values() for one in some]
        results = self._aws.pages(
            "cloudwatch", "get_metric_data", "MetricDataResults",
            MetricDataQueries=queries, StartTime=_utc(begin_s), EndTime=_utc(end_s), ScanBy="TimestampAscending",
        )  # fmt: skip
        series: dict[str, dict[float, float]] = {}
        for result in results:
            points = series.setdefault(result["Id"], {})
            points |= {at.timestamp(): value for at, value in zip(result["Timestamps"], result["Values"], strict=True)}
        count = round((end_s - begin_s) / period_s)
        begins = [begin_s + period_s * number for number in range(count)]
        ran = {begin: tasks(begin + period_s) for begin in begins}
        return [Sample(begin + period_s, ran[begin], self._values(series, begin, ran[begin])) for begin in begins]

    def _values(
        self, series: Mapping[str, Mapping[float, float]], at_s: float, tasks: int
    ) -> dict[Watched, float | None]:
        found: dict[Watched, float | None] = {}
        for metric, queries in self._queries.items():
            points = [series.get(one["Id"], {}).get(at_s) for one in queries]
            found[metric] = in_units(metric, points, tasks, self._period_s)
        return found


def in_units(metric: Watched, points: Sequence[float | None], tasks: int, period_s: float) -> float | None:
    """A datapoint of CloudWatch in the units of conditions; None where it is missing."""
    if metric is Watched.ERROR_RATE:
        return error_rate_of(*points)
    first = points[0]
    if first is None:
        return None
    if metric in (Watched.CPU, Watched.MEMORY):
        return first / 100
    if metric is Watched.CONNECTIONS:
        return first * tasks
    return first * 1000 if metric is Watched.RESPONSE_TIME else first / period_s


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


@dataclass(frozen=True)
class _Reading:
    """Counters and gauges of all servers at one moment."""

    at_s: float
    cpu_s: Mapping[str, float]
    memory_bytes: float
    cores: float
    connections: float
    answered: float
    failed: float
    answer_s: float


class MetricsSource:
    """The servers' own `/metrics`. It knows no past: the first sample comes a period after the start."""

    def __init__(self, url: str, scaling: Scaling) -> None:
        self._parts = urlsplit(url)
        self._url = url
        self._scaling = scaling
        self._before: _Reading | None = None

    def since(self, after_s: float, now_s: float, tasks: Callable[[float], int]) -> list[Sample]:  # noqa: ARG002
        """What happened since the last call, as one sample."""
        now = self._read(now_s)
        before, self._before = self._before, now
        if before is None or now.at_s <= before.at_s:
            return []
        end_s = now_s // self._scaling.period * self._scaling.period
        return [Sample(end_s, tasks(end_s), self._values(before, now))]

    def _values(self, before: _Reading, now: _Reading) -> dict[Watched, float | None]:
        elapsed_s = now.at_s - before.at_s
        used_s = sum(max(0.0, value - before.cpu_s.get(pid, 0.0)) for pid, value in now.cpu_s.items())
        answered = now.answered - before.answered
        quiet = answered <= 0  # a server that began anew counts from zero: then nothing is known
        return {
            Watched.CPU: used_s / elapsed_s / now.cores if now.cores else None,
            Watched.MEMORY: now.memory_bytes / now.cores / self._scaling.memory_per_server if now.cores else None,
            Watched.CONNECTIONS: now.connections,
            Watched.REQUESTS: None if answered < 0 else answered / elapsed_s,
            Watched.RESPONSE_TIME: None if quiet else (now.answer_s - before.answer_s) / answered * 1000,
            Watched.ERROR_RATE: None if quiet else max(0.0, now.failed - before.failed) / answered,
        }

    def _read(self, now_s: float) -> _Reading:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"{self._parts.path.rstrip('/')}/metrics")
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            raise DependencyError(f"{self._url}/metrics cannot be read: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise DependencyError(f"{self._url}/metrics answered {answer.status}")
        return _reading(now_s, body, self._url)


def _reading(at_s: float, body: str, url: str) -> _Reading:
    cpu_s: dict[str, float] = {}
    sums: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                if sample.name == "dbz_process_cpu_seconds_total":
                    cpu_s[sample.labels.get("pid", "")] = sample.value
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
                if sample.name == "dbz_http_requests_total" and sample.labels.get("status", "").startswith("5"):
                    sums["failed"] = sums.get("failed", 0.0) + sample.value
    except ValueError as error:
        raise DependencyError(f"{url}/metrics is not in the Prometheus format: {error}") from error
    return _Reading(
        at_s=at_s,
        cpu_s=cpu_s,
        memory_bytes=sums.get("dbz_process_resident_memory_bytes", 0.0),
        cores=sums.get("dbz_server_cores", 0.0),
        connections=sums.get("dbz_socket_connections", 0.0),
        answered=sums.get("dbz_http_requests_total", 0.0),
        failed=sums.get("failed", 0.0),
        answer_s=sums.get("dbz_http_request_duration_seconds_sum", 0.0),
    )
