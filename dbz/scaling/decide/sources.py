"""Where `dbz scale auto` gets its samples: CloudWatch, or the servers' own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from dbz.config.grammar.conditions import Condition
from dbz.config.grammar.watched import Watched
from dbz.config.load.metrics import TargetMetrics
from dbz.config.phases.plan import Scaling
from dbz.errors import DependencyError
from dbz.scaling.aws import Aws
from dbz.scaling.decide.rules import Sample
from dbz.scaling.native import error_rate_of, queries_for
from dbz.targets.places import METRICS
from dbz.targets.probing import address_of, follow
from dbz.targets.reading import PageReader, Reading
from dbz.targets.reading import since as what_happened
from dbz.targets.requests import RequestCounts, read_requests, requests_between

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


class MetricsSource:
    """The servers' own `/metrics`, under our names or others' standard ones (docs/targets.md).

    It knows no past: the first sample comes a period after the start.
    """

    def __init__(self, url: str, scaling: Scaling) -> None:
        self._url = address_of(url, METRICS)
        self._scaling = scaling
        self._reader = PageReader(TargetMetrics())
        self._before: tuple[Reading, RequestCounts] | None = None

    def since(self, after_s: float, now_s: float, tasks: Callable[[float], int]) -> list[Sample]:  # noqa: ARG002
        """What happened since the last call, as one sample."""
        now = self._read(now_s)
        before, self._before = self._before, now
        if before is None or now[0].at_s <= before[0].at_s:
            return []
        end_s = now_s // self._scaling.period * self._scaling.period
        return [Sample(end_s, tasks(end_s), self._values(before, now))]

    def _values(
        self, before: tuple[Reading, RequestCounts], now: tuple[Reading, RequestCounts]
    ) -> dict[Watched, float | None]:
        passed = what_happened(now[0], before[0])
        requests = requests_between(before[1], now[1], now[0].at_s - before[0].at_s)
        cores = passed.cores or (now[0].processes if now[0].one_core_each else None)
        of_all = self._scaling.memory_per_server * cores if cores else 0.0
        known = bool(now[1].answered)
        return {
            Watched.CPU: passed.used_cores / cores if cores and passed.used_cores is not None else None,
            Watched.MEMORY: passed.memory_bytes / of_all if of_all and passed.memory_bytes is not None else None,
            Watched.CONNECTIONS: passed.connections,
            Watched.REQUESTS: requests.per_s if known else None,
            Watched.RESPONSE_TIME: requests.mean_ms,
            Watched.ERROR_RATE: requests.error_rate,
        }

    def _read(self, now_s: float) -> tuple[Reading, RequestCounts]:
        answer, _ = asyncio.run(follow(self._url, deadline_s=_TIMEOUT_S))
        if not answer.status:
            raise DependencyError(f"{self._url} cannot be read: {answer.trouble}", code="S027")
        if answer.status != 200:
            raise DependencyError(f"{self._url} answered {answer.status}", code="S027")
        reading, requests = self._reader.read(answer.body, now_s), read_requests(answer.body)
        if reading is None and requests is None:
            raise DependencyError(f"{self._url} has none of the figures that we know", code="S027")
        return reading or Reading(now_s), requests or RequestCounts()
