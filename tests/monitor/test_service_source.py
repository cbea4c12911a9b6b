"""What a service tells of itself becomes the figures of a reading."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedTarget
from dbz.measure.latency.buckets import Buckets
from dbz.monitor.sources.reading import SourceReading
from dbz.monitor.sources.service import TargetSource, percentile_ms
from dbz.report.terminal.monitor import reading_text
from dbz.targets.caches import CACHE_NAMES, lookups_between, read_caches
from dbz.targets.exposition import read_page
from tests.load.socketio_servers import NODE_FOLDER, node_packages
from tests.monitor.service import Service, running
from tests.targets.strangers import stranger

BUCKETS = """http_request_duration_seconds_bucket{le="0.1"} %d
http_request_duration_seconds_bucket{le="0.5"} %d
http_request_duration_seconds_bucket{le="+Inf"} %d
db_client_operation_duration_seconds_bucket{le="0.01",db_operation_name="find"} %d
db_client_operation_duration_seconds_bucket{le="+Inf",db_operation_name="find"} %d
db_client_operation_duration_seconds_sum{db_operation_name="find"} %f
nodejs_eventloop_lag_p99_seconds 0.02
cache_hits_total %d
cache_misses_total %d
"""


def test_one_page_a_round_gives_figures_requests_queries_and_caches() -> None:
    with running(Service()) as service:
        service.more = BUCKETS % (0, 0, 0, 10, 10, 0.05, 0, 0)
        source = TargetSource(WatchedTarget.model_validate({"name": "shop", "url": service.url}))

        async def looked() -> list[SourceReading]:
            readings = [await source.look()]
            service.more = BUCKETS % (90, 100, 100, 20, 20, 0.10, 30, 10)
            return [*readings, await source.look()]

        first, second = asyncio.run(looked())
    assert service.asked == 2 and first.up and Watched.RESPONSE_TIME not in first.figures
    figures = second.figures
    assert figures[Watched.RESPONSE_TIME] == pytest.approx(10) and figures[Watched.ERROR_RATE] == 0
    assert figures[Watched.P95_RESPONSE_TIME] == pytest.approx(300) and figures[Watched.PEAK_RESPONSE_TIME] == 500
    assert figures[Watched.QUERY_TIME] == pytest.approx(5) and figures[Watched.P95_QUERY_TIME] == pytest.approx(9.5)
    assert figures[Watched.HIT_RATIO] == 0.75 and figures[Watched.EVENT_LOOP_LAG] == 20
    assert figures[Watched.PROBE_TIME] > 0 and figures[Watched.MEMORY] > 0
    row = second.to_row()
    assert row["memory_bytes"] == 50_000_000 and row["p95 response time"] == pytest.approx(300)
    assert all(isinstance(value, int | float | str) for value in row.values())


@pytest.mark.parametrize(
    ("named", "answers", "ups"),
    [
        ({}, [404, 404], [None, None]),
        ({}, [404, 200, 404, 503], [None, True, False, False]),
        ({}, [503, 404, 302], [False, False, True]),
        ({"health": "/healthz"}, [404, 200, 404], [False, True, False]),
    ],
)
def test_a_health_path_that_is_named_or_was_there_must_be_there(
    named: dict[str, str], answers: list[int], ups: list[bool | None]
) -> None:
    """As a load has it: only where nobody named one, and none ever answered, 404 says that there is none."""
    with running(Service()) as service:
        source = TargetSource(WatchedTarget.model_validate({"name": "shop", "url": service.url, **named}))

        async def looked() -> list[SourceReading]:
            readings = []
            for service.health in answers:
                readings.append(await source.look())
            return readings

        found = asyncio.run(looked())
    assert [one.up for one in found] == ups
    lines = [reading_text(one) for one in found]
    assert [line.startswith("DOWN (HTTP") for line in lines] == [up is False for up in ups]


def test_a_node_service_with_prom_client_tells_itself() -> None:
    node_packages()
    with stranger("node", str(NODE_FOLDER / "metrics.mjs"), "PORT", "", "20") as url:
        target = {"name": "shop", "url": url, "health": "/status", "memory_limit": "10GB"}
        source = TargetSource(WatchedTarget.model_validate(target))

        async def looked() -> list[SourceReading]:
            readings = []
            for _ in range(2):
                urllib.request.urlopen(f"{url}/work", timeout=30).close()
                readings.append(await source.look())
            return readings

        first, second = asyncio.run(looked())
    assert first.up and first.health == "HTTP 200" and Watched.REQUESTS not in first.figures
    figures = second.figures
    assert 5 <= figures[Watched.P95_RESPONSE_TIME] <= 500 and figures[Watched.RESPONSE_TIME] >= 19
    assert figures[Watched.REQUESTS] > 0 and figures[Watched.ERROR_RATE] == 0 and Watched.CPU in figures
    assert figures[Watched.EVENT_LOOP_LAG] >= 0 and 0 < figures[Watched.MEMORY] < 0.1


def test_beyond_the_last_bound_a_percentile_is_at_least_that() -> None:
    assert percentile_ms(Buckets({0.1: 1.0, 0.5: 0.0, float("inf"): 9.0}), 95) == 500
    assert percentile_ms(Buckets({0.1: 1.0, 0.5: 0.0, float("inf"): 0.0}), 100) == 100


@pytest.mark.parametrize(
    "form",
    [
        (
            'dbz_cache_requests_total{{layer="local",outcome="hit"}} {0}\n'
            'dbz_cache_requests_total{{layer="local",outcome="miss"}} {1}\n'
            'dbz_cache_requests_total{{layer="remote",outcome="hit"}} 0\n'
            'dbz_cache_requests_total{{layer="remote",outcome="miss"}} {1}\n'
        ),
        'cache_gets_total{{cache="a",result="hit"}} {0}\ncache_gets_total{{cache="a",result="miss"}} {1}\n',
        "django_cache_get_hits_total {0}\ndjango_cache_get_total {2}\n",
        "cache_hits_total {0}\ncache_misses_total {1}\n",
    ],
)
def test_hits_and_lookups_of_each_library(form: str) -> None:
    pages = [read_page(form.format(hits, misses, hits + misses).encode(), CACHE_NAMES.__contains__)
             for hits, misses in ((100, 50), (160, 70))]  # fmt: skip
    before, now = (read_caches(page) for page in pages)
    assert before is not None and now is not None
    assert lookups_between(before, now) == (60, 80)


@pytest.mark.parametrize(
    ("reading", "line"),
    [
        (SourceReading(up=True, health="HTTP 200", figures={Watched.PROBE_TIME: 3.0}), "up, in 3 ms"),
        (SourceReading(health="HTTP 404", figures={Watched.REQUESTS: 2.0}), "no health path, 2/s"),
        (SourceReading(health="no task yet"), "no task yet"),
        (SourceReading(up=False, health="HTTP 500, and 200 is wanted"), "DOWN (HTTP 500, and 200 is wanted)"),
        (SourceReading(up=True, figures={Watched.QUEUE_DEPTH: 1200.0, Watched.PENDING_MESSAGES: 3.0}),
         "up, queue depth 1,200, pending messages 3"),
        (SourceReading(up=True, health="mongod", trouble="serverStatus: not allowed"),
         "up, no figures: serverStatus: not allowed"),
    ],
)  # fmt: skip
def test_each_kind_has_its_line(reading: SourceReading, line: str) -> None:
    assert reading_text(reading) == line
