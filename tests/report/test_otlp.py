"""Metrics over OTLP, as a collector receives them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from dbz.report.otlp import OtlpStream
from dbz.runs.folder import RunFolder
from dbz.runs.reading import read_record
from tests.runs.builder import BUDGETS

Point = tuple[str, tuple[str, ...]]


@contextmanager
def collector() -> Iterator[tuple[str, dict[Point, float]]]:
    """Where a collector listens, and the newest value of each point that it got."""
    points: dict[Point, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportMetricsServiceRequest()
            request.ParseFromString(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            for resource in request.resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    for point in (*metric.sum.data_points, *metric.gauge.data_points):
                        values = tuple(str(one.value.string_value or one.value.int_value) for one in point.attributes)
                        points[metric.name, values] = point.as_double or float(point.as_int)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/metrics", points
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_gets_counts_latencies_and_budgets(broken: RunFolder) -> None:
    record = read_record(broken)
    with collector() as (endpoint, points), OtlpStream(endpoint, BUDGETS) as stream:
        stream.update(record)
    posts = [one for one in record.intervals if (one.series.kind, one.series.name) == ("http", "GET /api/posts")]
    failed = sum(len(one.histogram) for one in posts if one.series.failed)
    assert points["dbz.attempts", ("http", "GET /api/posts", "failed")] == failed > 0
    assert points["dbz.latency", ("delivery", "95")] > 20
    assert points["dbz.users", ()] == 500
    assert points["dbz.budget.used", ("chat_message_latency",)] > 1


def test_a_collector_that_is_not_there_is_said_once(broken: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with OtlpStream("http://127.0.0.1:9/v1/metrics", BUDGETS) as stream:
        stream.update(read_record(broken))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "exports to http://127.0.0.1:9/v1/metrics failed" in said
