"""What servers tell of their requests, as the libraries of several languages write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.targets.requests import RequestFigures, read_requests, requests_between

OURS = """dbz_http_requests_total{method="GET",route="/a",status="200"} %d
dbz_http_requests_total{method="GET",route="/a",status="503"} %d
dbz_http_request_duration_seconds_bucket{route="/a",le="+Inf"} 1
dbz_http_request_duration_seconds_sum{route="/a"} %f
dbz_http_request_duration_seconds_count{route="/a"} %d
"""
PROM_CLIENT = """http_request_duration_seconds_count{method="GET",status_code="200"} %d
http_request_duration_seconds_count{method="GET",status_code="503"} %d
http_request_duration_seconds_sum{method="GET",status_code="200"} %f
# %d
"""
OPENTELEMETRY = """http_server_request_duration_seconds_count{http_response_status_code="200"} %d
http_server_request_duration_seconds_count{http_response_status_code="500",error_type="500"} %d
http_server_request_duration_seconds_sum{http_response_status_code="200"} %f
# %d
"""
MICROMETER = """http_server_requests_seconds_count{outcome="SUCCESS",status="200",uri="/a"} %d
http_server_requests_seconds_count{outcome="SERVER_ERROR",status="500",uri="/a"} %d
http_server_requests_seconds_sum{outcome="SUCCESS",status="200",uri="/a"} %f
# %d
"""
INSTRUMENTATOR = """http_requests_total{handler="/a",method="GET",status="2xx"} %d
http_requests_total{handler="/a",method="GET",status="5xx"} %d
http_request_duration_seconds_sum{handler="/a"} %f
http_request_duration_seconds_count{handler="/a"} %d
"""


@pytest.mark.parametrize("form", [OURS, PROM_CLIENT, OPENTELEMETRY, MICROMETER, INSTRUMENTATOR])
def test_rate_mean_and_errors_of_each_library(form: str) -> None:
    before = read_requests((form % (100, 10, 11.0, 110)).encode())
    now = read_requests((form % (180, 30, 61.0, 210)).encode())
    assert before is not None and now is not None
    figures = requests_between(before, now, 10.0)
    assert figures.per_s == pytest.approx(10) and figures.error_rate == pytest.approx(0.2)
    assert figures.mean_ms == pytest.approx(500)


@pytest.mark.parametrize("form", [OURS, PROM_CLIENT, INSTRUMENTATOR])
def test_a_server_that_began_again_counts_from_zero(form: str) -> None:
    before = read_requests((form % (1000, 500, 700.0, 1500)).encode())
    now = read_requests((form % (15, 5, 10.0, 20)).encode())
    assert before is not None and now is not None
    figures = requests_between(before, now, 10.0)
    assert (figures.per_s, figures.mean_ms, figures.error_rate) == (2.0, pytest.approx(500), 0.25)


@pytest.mark.parametrize("label", ["route", "handler", "uri", "http_route", "path"])
def test_questions_of_those_who_watch_make_a_slow_service_no_quicker(label: str) -> None:
    def page(slow: int, watched: int) -> bytes:
        return "".join(
            f'http_request_duration_seconds_{part}{{{label}="{path}",status="200"}} {value}\n'
            for path, count, took_s in (("/a", slow, 0.9), ("/metrics", watched, 0.001), ("/healthz", watched, 0.001))
            for part, value in (("count", count), ("sum", count * took_s))
        ).encode()

    before, now, idle = (read_requests(page(*counts)) for counts in ((10, 100), (20, 900), (20, 950)))
    assert before is not None and now is not None and idle is not None
    figures = requests_between(before, now, 10.0)
    assert figures.per_s == 1 and figures.mean_ms == pytest.approx(900)
    assert requests_between(now, idle, 10.0) == RequestFigures(0.0, None, None)


def test_what_is_not_told_is_not_known() -> None:
    timed = b"http_request_duration_seconds_sum 3\nhttp_request_duration_seconds_count 6\n"
    counts = read_requests(timed)
    assert counts is not None and counts.failed is None
    assert requests_between(counts, counts, 10.0) == RequestFigures(0.0, None, None)
    assert read_requests(b"process_cpu_seconds_total 3\n") is None
    assert read_requests(b"http_requests_total NaN\n") is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_page_gives_nonsense(one: bytes, other: bytes) -> None:
    real = (OURS % (1, 2, 3.0, 3)).encode()
    before, now = read_requests(one + b"\n" + real), read_requests(real + other)
    assert before is not None
    figures = requests_between(before, now or before, 1.0)
    assert figures.per_s >= 0 and (figures.error_rate is None or 0 <= figures.error_rate <= 1)
