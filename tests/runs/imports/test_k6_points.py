"""k6's samples, as k6 1.1.0 wrote them of one run: JSON, CSV, compressed, damaged; beside the summary of that run."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbz.errors import UsageError
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, found_in, judged, value_of, written
from tests.runs.imports.test_any_file import judged_and_written

JSON, CSV, SUMMARY = FILES / "k6_samples.ndjson", FILES / "k6_samples.csv", FILES / "k6_of_samples.json"
VUS = '{"type":"Point","metric":"vus","data":{"time":"%s","value":%s,"tags":{}}}'
POINTS = [row for row in map(json.loads, JSON.read_text().splitlines()) if row["type"] == "Point"]


def durations(**tags: str) -> list[float]:
    """The times of requests with these tags, in milliseconds, taken out of the file by hand."""
    return [
        row["data"]["value"]
        for row in POINTS
        if row["metric"] == "http_req_duration" and tags.items() <= row["data"]["tags"].items()
    ]


@pytest.fixture(params=["json", "json.gz", "csv", "csv.gz"])
def samples(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same run in each form."""
    raw = (JSON if "json" in request.param else CSV).read_bytes()
    return written(tmp_path, gzip.compress(raw) if "gz" in request.param else raw, f"out.{request.param}")


def test_requests_are_counted_and_timed_by_name_and_failures_kept_apart(samples: Path) -> None:
    good = durations(expected_response="true")
    assert (len(good), len(durations())) == (10, 15), "this is what was run"
    assert value_of(samples, "http", "error_rate") == pytest.approx(1 / 3)
    assert value_of(samples, "http", "mean") == pytest.approx(sum(good) / 10, rel=0.001)
    assert value_of(samples, 'http{op="GET a"}', "max") == pytest.approx(max(durations(name="a")), rel=0.001)
    assert value_of(samples, 'http{op="GET http://127.0.0.1:1/refused"}', "error_rate") == 1
    names = {of.name for of in found_in(samples).latencies if of.kind == "http"}
    assert names == {"GET a", "GET http://127.0.0.1:8999/b", "GET http://127.0.0.1:1/refused"}


def test_they_agree_with_the_summary_of_the_same_run(samples: Path) -> None:
    for of, stat in (("errors", "error_rate"), ("http", "count"), ("http", "mean"), ("composite", "count")):
        assert value_of(samples, of, stat) == pytest.approx(value_of(SUMMARY, of, stat), rel=0.001), (of, stat)


def test_what_is_no_request_is_in_no_error_rate(samples: Path) -> None:
    assert found_in(samples).attempts(("http", "other", "task")).count == 15
    assert value_of(samples, 'composite{name="iteration"}', "count") == 5
    if "json" in samples.name:  # CSV does not say that a trend of the script is one of times
        assert value_of(samples, 'measure{name="my_trend"}', "mean") == pytest.approx(
            value_of(SUMMARY, 'other{name="my_trend"}', "mean"), rel=0.001
        )


@pytest.mark.parametrize(
    "write",
    [
        lambda s: str(int(s)),
        lambda s: str(int(s * 1e3)),
        lambda s: str(int(s * 1e6)),
        lambda s: str(int(s * 1e9)),
        lambda s: datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda s: datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f789Z"),
    ],
    ids=["unix", "unix_milli", "unix_micro", "unix_nano", "rfc3339", "rfc3339_nano"],
)
def test_a_rate_is_the_same_in_every_time_format_of_csv(tmp_path: Path, write: Callable[[float], str]) -> None:
    head = CSV.read_text().partition("\n")[0]
    cells = {"metric_name": "http_req_duration", "metric_value": "20.0", "name": "/a", "method": "GET", "status": "200"}
    rows = [cells | {"timestamp": write(1_796_143_200 + second)} for second in range(11)]
    text = "\n".join([head, *(",".join(row.get(column, "") for column in head.split(",")) for row in rows)]) + "\n"
    path = written(tmp_path, text, "out.csv")
    assert value_of(path, "http", "rate") == pytest.approx(11 / 10, rel=0.01)
    assert judged([path], budget("http", "rate", ">= 2/s"))[0] == 1


def test_what_is_not_read_of_the_samples_is_said(tmp_path: Path) -> None:
    metric = {"type": "Metric", "metric": "basket", "data": {"type": "counter", "contains": "default"}}
    wait = {"type": "Metric", "metric": "wait", "data": {"type": "trend", "contains": "default"}}
    rows = [
        json.loads(VUS % ("2026-01-01T00:00:00Z", value)) | {"metric": name}
        for name, value in (("basket", 1), ("wait", 700))
    ]
    path = written(tmp_path, "".join(json.dumps(row) + "\n" for row in (metric, wait, *rows)), "out.json")
    notes = " ".join(read_file(path).notes)
    assert "Not read, since they are no times: basket." in notes and "no unit of wait" in notes
    assert judged([path], budget('measure{name="wait"}', "p50", "< 500ms"))[0] == 1
    csv = written(
        tmp_path, "metric_name,timestamp,metric_value\nmy_trend,1796143200,5\ngrpc_req_duration,1796143200,70\n"
    )
    assert "CSV does not say which are times (--out json does): my_trend" in " ".join(read_file(csv).notes)
    assert value_of(csv, 'measure{name="grpc_req_duration"}', "max") == pytest.approx(70, rel=0.01)


def test_a_run_of_failures_is_red(samples: Path) -> None:
    assert judged([samples], budget("errors", "error_rate", "< 1%"))[0] == 1
    assert judged([samples], budget('http{op="GET a"}', "max", "< 10s"))[0] == 0


def test_what_says_nothing_of_failures_is_judged_by_status(tmp_path: Path) -> None:
    def silent(row: dict[str, Any]) -> dict[str, Any]:
        row["data"]["tags"].pop("expected_response", None)
        return row

    lines = [json.dumps(silent(json.loads(json.dumps(row)))) for row in POINTS]
    path = written(tmp_path, "\n".join(lines) + "\n", "silent.json")
    assert value_of(path, "http", "error_rate") == pytest.approx(1 / 3)
    _, run = judged([path], budget("http", "error_rate", "< 50%"))
    assert run.verdict == "pass"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (JSON.read_text()[:-40], r"cut\.json:\d+: this is no sample of k6: .*cut off\?"),
        (CSV.read_text().rsplit(",", 20)[0], r"cut\.json:\d+: the line has not as many columns .*cut off\?"),
        (CSV.read_text().replace("metric_value", "metric_value{", 1), "there is no column 'metric_value'"),
        (CSV.read_text().replace(",1.000000", ",one", 1), r"cut\.json:2: "),
        (json.dumps(POINTS[0]) + "\n[]\n", r"cut\.json:2: this is no sample"),
        (
            json.dumps(POINTS[0]) + '\n{"type":"Point","metric":"vus","data":{"time":"soon","value":1,"tags":{}}}\n',
            ":2: ",
        ),
        (json.dumps(POINTS[0]) + '\n{"type":"Point","metric":"vus","data":{"time":0,"value":NaN,"tags":{}}}\n', ":2: "),
        (json.dumps(POINTS[0]) + "\n" + "[" * 100_000, ":2: "),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        found_in(written(tmp_path, text, "cut.json"))
    assert re.search(says, refused.value.message), refused.value.message
    assert len(refused.value.message) < 400


def test_a_file_of_no_requests_judges_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, JSON.read_text().splitlines()[0] + "\n", "head.json")
    assert judged([path], budget("http", "p95", "< 1s"))[0] == 4
    empty = written(tmp_path, CSV.read_text().splitlines()[0] + "\n", "head.csv")
    assert judged([empty], budget("errors", "error_rate", "< 1%"))[0] == 4


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 6000), st.sampled_from([JSON, CSV]), st.booleans())
def test_no_damage_is_a_traceback(tmp_path: Path, junk: bytes, at: int, real: Path, packed: bool) -> None:
    raw = gzip.compress(real.read_bytes()) if packed else real.read_bytes()
    judged_and_written(written(tmp_path, raw[:at] + junk + raw[at + len(junk) :], f"damaged-{real.name}"), tmp_path)
