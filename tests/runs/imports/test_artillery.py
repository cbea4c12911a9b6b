"""Artillery's reports: requests, emits, sessions and errors by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, figure_of, found_in, judged, value_of, written


def times(count: int, value: float, **more: float) -> dict[str, float]:
    keys = ("min", "max", "mean", "p50", "median", "p75", "p90", "p95", "p99", "p999")
    return {"count": count, **dict.fromkeys(keys, value), **more}


def report(counters: dict[str, int], summaries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A report over ten seconds."""
    whole = {"counters": counters, "summaries": summaries, "rates": {}}
    whole |= {"firstCounterAt": 1_700_000_000_000, "lastCounterAt": 1_700_000_010_000}
    return {"aggregate": whole | more, "intermediate": []}


def test_refusals_that_came_fast_lower_no_mean(tmp_path: Path) -> None:
    counters = {"http.requests": 1000, "http.responses": 1000, "http.codes.200": 600, "http.codes.503": 400}
    summaries = {
        "http.response_time": times(1000, 300, min=1, mean=180.4),
        "http.response_time.2xx": times(600, 300),
        "http.response_time.5xx": times(400, 1),
    }
    path = written(tmp_path, report(counters, summaries))
    assert [value_of(path, "http", stat) for stat in ("mean", "p50", "p75", "error_rate", "rate")] == [
        300,
        300,
        math.inf,
        0.4,
        pytest.approx(60),
    ]
    assert judged([path], budget("http", "mean", "< 250ms"))[0] == 1


def test_without_the_times_of_successes_a_mean_is_the_worst_it_may_be(tmp_path: Path) -> None:
    counters = {"http.requests": 1000, "http.codes.200": 600, "http.codes.503": 400}
    one = figure_of(
        written(tmp_path, report(counters, {"http.response_time": times(1000, 300, min=1, mean=180.4)})), "http", "mean"
    )
    # (180.4 * 1,000 - 400 * 1) / 600
    assert one is not None and (one.low, one.value) == (180.4, 300)


def test_times_of_redirects_beside_successes_are_not_left_out(tmp_path: Path) -> None:
    counters = {"http.requests": 100, "http.codes.200": 50, "http.codes.302": 40, "http.codes.500": 10}
    summaries = {
        "http.response_time": times(100, 90, min=1, mean=50),
        "http.response_time.2xx": times(50, 2),
        "http.response_time.3xx": times(40, 90),
    }
    one = figure_of(written(tmp_path, report(counters, summaries)), "http", "mean")
    assert one is not None and one.value == pytest.approx((50 * 100 - 10) / 90)


def test_an_emit_without_a_response_in_time_is_a_failed_attempt(tmp_path: Path) -> None:
    counters = {"socketio.emit": 100, "errors.response timeout": 30, "vusers.created": 100, "vusers.failed": 30}
    counters |= {"vusers.completed": 70}
    path = written(tmp_path, report(counters, {"socketio.response_time": times(70, 20)}))
    assert value_of(path, "ack", "error_rate") == 0.3 and value_of(path, "errors", "error_rate") == 0.3
    assert value_of(path, "ack", "p75") == math.inf
    silent = written(tmp_path, report({"socketio.emit": 50, "errors.response timeout": 50}, {}))
    assert value_of(silent, "ack", "error_rate") == 1 and value_of(silent, "ack", "p50") == math.inf


def test_sockets_that_never_opened_are_failed_attempts(tmp_path: Path) -> None:
    counters = {"vusers.created": 50, "vusers.failed": 50, "errors.xhr poll error": 50}
    path = written(tmp_path, report(counters, {}))
    assert value_of(path, "errors", "error_rate") == 1
    mixed = report(
        counters | {"socketio.emit": 100, "http.requests": 100, "http.codes.200": 100},
        {"http.response_time": times(100, 5), "socketio.response_time": times(100, 5)},
    )
    path = written(tmp_path, mixed)
    assert value_of(path, "errors", "error_rate") == pytest.approx(50 / 250)
    assert value_of(path, "ack", "error_rate") == 0
    assert value_of(path, "http", "error_rate") is None, "some of the errors may be of its answers"


def test_answers_that_were_not_what_was_expected_failed(tmp_path: Path) -> None:
    counters = {"http.requests": 100, "http.codes.200": 100, "errors.Failed capture or match": 7}
    path = written(tmp_path, report(counters, {"http.response_time": times(100, 5)}))
    assert value_of(path, "http", "error_rate") == 0.07
    both = {"http.requests": 100, "http.codes.200": 90, "http.codes.500": 10, "errors.Failed capture or match": 12}
    one = figure_of(written(tmp_path, report(both, {"http.response_time": times(100, 5)})), "http", "error_rate")
    assert one is not None and one.only_known and one.low == 0.12, "ten of the twelve may be the refusals"


def test_a_redirect_that_was_followed_is_no_lost_request(tmp_path: Path) -> None:
    counters = {"http.requests": 200, "http.codes.200": 100, "vusers.created": 100, "vusers.completed": 100}
    path = written(tmp_path, report(counters, {"http.response_time": times(100, 5)}))
    assert value_of(path, "http", "error_rate") == 0
    hanging = {"http.requests": 100, "http.codes.200": 90, "vusers.created": 100, "vusers.completed": 90}
    path = written(tmp_path, report(hanging, {"http.response_time": times(90, 5)}))
    assert value_of(path, "http", "error_rate") == 0.1, "sessions that never ended have a request without an answer"


def test_counts_are_known_where_the_times_are_not(tmp_path: Path) -> None:
    counters = {"http.requests": 100, "http.responses": 98, "http.codes.200": 98, "errors.ETIMEDOUT": 2}
    path = written(tmp_path, report(counters, {}))
    assert value_of(path, "http", "error_rate") == 0.02 and value_of(path, "http", "p50") is None
    older = report(counters, {}, histograms={"http.response_time": times(98, 5)})
    del older["aggregate"]["summaries"]
    assert value_of(written(tmp_path, older), "http", "p50") == 5


LEGACY = {
    "timestamp": "2021-05-01T10:00:00.000Z",
    "scenariosCreated": 100,
    "scenariosCompleted": 90,
    "requestsCompleted": 95,
    "latency": {"min": 1.2, "max": 310.4, "median": 20.5, "p95": 88.1, "p99": 240},
    "rps": {"count": 100, "mean": 9.98},
    "scenarioDuration": {"min": 5, "max": 900, "median": 40, "p95": 300, "p99": 700},
    "scenarioCounts": {"0": 100},
    "errors": {"ETIMEDOUT": 5},
    "codes": {"200": 90, "500": 5},
    "matches": 0,
    "customStats": {},
    "counters": {},
}


def test_reports_of_version_1(tmp_path: Path) -> None:
    path = written(tmp_path, {"aggregate": LEGACY, "intermediate": []})
    assert value_of(path, "http", "error_rate") == 0.1 and value_of(path, "http", "p50") == 88.1
    assert value_of(path, "http", "mean") is None and value_of(path, "http", "p95") == math.inf
    assert value_of(path, "composite{name=session}", "error_rate") == 0.1
    good = LEGACY | {"errors": {}, "codes": {"200": 100}, "requestsCompleted": 100}
    path = written(tmp_path, {"aggregate": good})
    assert value_of(path, "http", "p95") == 88.1 and value_of(path, "errors", "error_rate") == 0


def test_version_1_over_sockets_and_against_nothing(tmp_path: Path) -> None:
    sockets = LEGACY | {"codes": {}, "errors": {"response timeout": 5}}
    path = written(tmp_path, {"aggregate": sockets})
    assert value_of(path, "ack", "error_rate") == 0.05 and value_of(path, "http", "p50") is None
    nothing = LEGACY | {"codes": {}, "requestsCompleted": 0, "errors": {"ECONNREFUSED": 100}, "latency": {}}
    path = written(tmp_path, {"aggregate": nothing})
    assert value_of(path, "http", "error_rate") == 1 and value_of(path, "http", "p50") == math.inf


def test_the_engine_for_socketio_has_two_times_of_a_success_and_one_of_a_wrong_answer() -> None:
    path = FILES / "artillery_socketio.json"  # 55 emits: 13 without a response, 17 wrong ones, 25 right ones: 67 times
    assert value_of(path, "ack", "error_rate") == pytest.approx(30 / 55)
    assert value_of(path, "errors", "error_rate") == pytest.approx(30 / 55)
    assert value_of(path, "ack", "p50") == math.inf and value_of(path, "ack", "count") == 25


def test_a_report_that_version_1_wrote() -> None:
    path = FILES / "artillery_1.json"  # 90 answers, of them 12 refusals and 30 redirects
    assert value_of(path, "http", "error_rate") == pytest.approx(12 / 90)
    assert value_of(path, "http", "p95") == math.inf and value_of(path, "http", "mean") is None
    assert value_of(path, "composite{name=session}", "error_rate") == 0


def test_what_a_script_keeps_itself_is_judged_and_no_failure(tmp_path: Path) -> None:
    counters = {"http.requests": 100, "http.codes.200": 100, "carts": 40, "plugins.expect.ok": 100, "errors.x": 0}
    summaries = {"http.response_time": times(100, 20), "checkout (ms)": times(40, 900), "engine.x": times(1, 5)}
    path = written(tmp_path, report(counters, summaries))
    assert judged([path], budget('other{name="checkout (ms)"}', "p95", "< 500ms"))[0] == 1
    assert value_of(path, "other{name=carts}", "rate") == 4 and value_of(path, "errors", "error_rate") == 0
    assert set(found_in(path).names("other")) == {"checkout (ms)", "carts"}
    assert "no unit of checkout (ms)" in " ".join(read_file(path).notes)
