"""Metrics over OTLP, as a collector receives them."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint

from dbz.measure.latency.histogram import merged
from dbz.measure.latency.series import Series
from dbz.report.live.otlp import OtlpStream
from dbz.report.live.prometheus import MetricsEndpoint
from dbz.runs.storage.folder import RunFolder
from dbz.runs.storage.reading import read_record
from tests.report.test_prometheus import scraped
from tests.runs.builder import BUDGETS

Point = tuple[str, tuple[str, ...]]
_UNITS = {"s": "_seconds", "1": "_ratio"}


@dataclass
class Received:
    """The newest value of each point, histograms, and every sample's name by the rules of Prometheus for OTLP."""

    values: dict[Point, float] = field(default_factory=dict)
    histograms: dict[Point, HistogramDataPoint] = field(default_factory=dict)
    samples: set[str] = field(default_factory=set)

    def take(self, metric: Metric) -> None:
        """Keep a metric."""
        name = metric.name.replace(".", "_") + _UNITS.get(metric.unit, "")
        for point in (*metric.sum.data_points, *metric.gauge.data_points):
            self.values[metric.name, _labels(point)] = point.as_double or float(point.as_int)
            self.samples.add(name + "_total" * metric.sum.is_monotonic)
        for histogram in metric.histogram.data_points:
            self.histograms[metric.name, _labels(histogram)] = histogram
            self.samples |= {f"{name}_{part}" for part in ("bucket", "count", "sum")}


def _labels(point: NumberDataPoint | HistogramDataPoint) -> tuple[str, ...]:
    return tuple(one.value.string_value for one in point.attributes)


@contextmanager
def collector() -> Iterator[tuple[str, Received]]:
    """Where a collector listens, and what it has got."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportMetricsServiceRequest()
            request.ParseFromString(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            for resource in request.resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    received.take(metric)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/metrics", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_gets_counts_histograms_and_budgets(broken: RunFolder) -> None:
    record = read_record(broken)
    with collector() as (endpoint, received), OtlpStream(endpoint, BUDGETS) as stream:
        stream.update(record)
    posts = [one for one in record.intervals if (one.series.kind, one.series.name) == ("http", "GET /api/posts")]
    answered = merged(one.histogram for one in posts if not one.series.failed)
    failed = sum(len(one.histogram) for one in posts if one.series.failed)
    assert received.values["dbz.attempts", ("http", "GET /api/posts", "failed")] == failed > 0
    latency = received.histograms["dbz.latency", ("http", "GET /api/posts")]
    assert latency.count == sum(latency.bucket_counts) == len(answered)
    assert latency.sum == pytest.approx(answered.total_us() / 1e6)
    assert latency.max == pytest.approx(answered.max_us / 1e6)
    assert received.values["dbz.users", ()] == 500
    value, limit = (received.values[f"dbz.budget.{name}", ("chat_message_latency",)] for name in ("value", "limit"))
    assert value > limit == 100


def test_quantiles_of_the_histogram_are_those_of_the_record(broken: RunFolder) -> None:
    record = read_record(broken)
    with collector() as (endpoint, received), OtlpStream(endpoint, BUDGETS) as stream:
        stream.update(record)
    chat = merged(one.histogram for one in record.intervals if one.series == Series("delivery", "chat"))
    latency = received.histograms["dbz.latency", ("delivery", "chat")]
    for percent in (50, 95, 99):
        rank, true_s = percent / 100 * latency.count, chat.percentile_us(percent) / 1e6
        below = list(accumulate(latency.bucket_counts))
        bucket = next(at for at, count in enumerate(below) if count >= rank)
        edges = (0.0, *latency.explicit_bounds, math.inf)
        assert edges[bucket] <= true_s <= edges[bucket + 1]


def test_by_prometheus_rules_the_names_are_those_of_the_endpoint(broken: RunFolder) -> None:
    record = read_record(broken)
    with collector() as (endpoint, received), OtlpStream(endpoint, BUDGETS) as stream:
        stream.update(record)
    with MetricsEndpoint("127.0.0.1", 0, BUDGETS) as page:
        page.update(record)
        assert received.samples == {name for name in scraped(page) if not name.endswith("_created")}


def test_a_collector_that_is_not_there_is_said_once(broken: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with OtlpStream("http://127.0.0.1:9/v1/metrics", BUDGETS) as stream:
        stream.update(read_record(broken))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "exports to http://127.0.0.1:9/v1/metrics failed" in said
