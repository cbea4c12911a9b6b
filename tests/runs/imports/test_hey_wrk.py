"""hey, wrk and bombardier: what they printed of real runs, and by hand what these do not show."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.errors import UsageError
from dbz.runs.imports.printed_reports.figures import printed_ms, printed_rounding_ms
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, figure_of, judged, value_of, written

HEY, LOST, ROWS = ((FILES / name).read_text() for name in ("hey.txt", "hey_lost.txt", "hey.csv"))
WRK, LATE = ((FILES / name).read_text() for name in ("wrk.txt", "wrk_late.txt"))
BOMBARDIER = json.loads((FILES / "bombardier.json").read_text())
WRK2 = """\
Running 30s test @ http://127.0.0.1:8080/
  2 threads and 100 connections
  Thread calibration: mean lat.: 0.489ms, rate sampling interval: 10ms
  Thread Stats   Avg      Stdev     99%   +/- Stdev
    Latency   482.58us  192.65us   1.04ms   74.72%
    Req/Sec     1.05k    86.32     1.22k    82.25%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%  470.00us
 99.900%    1.50ms
100.000%    1.02m

  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

       0.025     0.000000            1         1.00
#[Mean    =        0.482, StdDeviation   =        0.192]
----------------------------------------------------------
  58912 requests in 30.00s, 13.37MB read
  Non-2xx or 3xx responses: 912
Requests/sec:   1963.55
Transfer/sec:    456.34KB
"""


@pytest.mark.parametrize(
    ("name", "of", "stat", "expected"),
    [
        ("hey.txt", "http", "error_rate", 10 / 50),
        ("hey.txt", "http", "count", 40),
        ("hey.txt", "http", "rate", 40 / 0.4697),
        ("hey.txt", "http", "max", 71.5),
        ("hey.txt", "http", "p95", math.inf),
        ("hey_lost.txt", "http", "error_rate", 4 / 12),
        ("hey_lost.txt", "http", "p75", math.inf),
        ("wrk.txt", "http", "error_rate", 36 / 178),
        ("wrk.txt", "http", "count", 142),
        ("wrk.txt", "http", "rate", 142 / 2.08),
        ("wrk.txt", "http", "max", 88.94),
        ("wrk_late.txt", "http", "error_rate", 4 / 26),
        ("wrk_late.txt", "http", "p99", math.inf),
        ("wrk_late.txt", "http", "mean", 43.14),
        ("bombardier.json", "http", "error_rate", 600 / 10_000),
        ("bombardier.json", "http", "rate", 9400 / 10.01),
        ("bombardier.json", "http", "p75", 9.1),
        ("bombardier.json", "http", "p95", math.inf),
        ("bombardier.json", "http", "max", 2000.321),
    ],
)
def test_figures_of_files(name: str, of: str, stat: str, expected: float) -> None:
    found = figure_of(FILES / name, of, stat)
    assert found is not None
    # Failed attempts that are among the times may have been the fastest: then the figure is the next one above.
    assert found.value == pytest.approx(expected) or (found.low or 0.0) <= expected <= found.value


def test_a_hey_that_reached_nobody_measured_failures_alone(tmp_path: Path) -> None:
    head, _, _ = HEY.partition("Status code distribution:")
    nothing = (
        head.replace("0.0424 secs", " NaN secs") + "Status code distribution:\n\nError distribution:\n  [20]\tGet x\n"
    )
    path = written(tmp_path, nothing, "hey.txt")
    assert value_of(path, "http", "error_rate") == 1 and value_of(path, "http", "p50") == math.inf
    assert judged([path], budget("http", "p50", "< 1s"))[0] == 1


def test_the_rows_of_hey_can_break_a_budget_and_never_hold_one() -> None:
    path = FILES / "hey.csv"
    assert judged([path], budget("http", "p50", "< 1ms"))[0] == 1
    assert judged([path], budget("http", "p50", "< 10s"))[0] == 4
    assert judged([path], budget("errors", "error_rate", "< 50%", required=True))[0] == 1
    assert judged([path], budget("errors", "error_rate", "< 10%"))[0] == 1, "a fifth of those with an answer failed"
    assert "leaves out requests that got no answer" in read_file(path).notes[1]


def test_what_hey_does_not_remember_is_not_taken_for_all(tmp_path: Path) -> None:
    many = HEY.replace("40 responses", "999990 responses")
    path = written(tmp_path, many, "hey.txt")
    assert value_of(path, "http", "error_rate") is None and value_of(path, "http", "rate") is None
    assert judged([path], budget("errors", "error_rate", "< 50%", required=True))[0] == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEY + HEY, "several runs"),
        (HEY.partition("Status code")[0], "cut off"),
        (WRK + WRK, "2 runs"),
        (WRK[: WRK.index("  178 requests")], "cut off"),
        (WRK.replace("45.50ms", "45.50 ms"), "no line of wrk with the latencies"),
        (WRK.replace("45.50ms", "soon"), "should be a duration"),
        (ROWS + "0.1,0.2\n", "not as many columns"),
        (ROWS + "inf,0,0,0,0,0,200,0\n", "should be a number from 0"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_file(written(tmp_path, text, "result.txt"))


def test_wrk2_names_its_columns_and_its_percentiles_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, WRK2, "wrk2.txt")
    assert value_of(path, "http", "max") == 61_200 and value_of(path, "http", "error_rate") == 912 / 58912
    assert read_file(path).tool == "wrk2"
    fine = written(tmp_path, WRK2.replace("responses: 912", "responses: 0"), "wrk2.txt")
    assert value_of(fine, "http", "p99") == 1.04 and value_of(fine, "http", "p50") == pytest.approx(0.47)
    lost = WRK2.replace("Requests/sec", "  Socket errors: connect 0, read 5, write 0, timeout 83\nRequests/sec", 1)
    assert value_of(written(tmp_path, lost, "wrk2.txt"), "http", "error_rate") == 1000 / 59000


def test_sockets_that_broke_are_attempts_without_a_time(tmp_path: Path) -> None:
    broken = WRK.replace("  Non-2xx", "  Socket errors: connect 10, read 8, write 4, timeout 0\n  Non-2xx")
    path = written(tmp_path, broken, "wrk.txt")
    assert value_of(path, "http", "error_rate") == (36 + 22) / 200


def test_an_error_within_the_body_is_a_failure_of_bombardier_too(tmp_path: Path) -> None:
    result = BOMBARDIER["result"] | {
        "others": 0,
        "req5xx": 0,
        "errors": [{"description": "unexpected EOF", "count": 94}],
    }
    path = written(tmp_path, BOMBARDIER | {"result": result})
    assert value_of(path, "http", "error_rate") == 94 / 9400
    without = {key: value for key, value in result.items() if key not in ("latency", "errors")}
    path = written(tmp_path, BOMBARDIER | {"result": without})
    assert value_of(path, "http", "error_rate") == 0 and value_of(path, "http", "p95") is None


@given(st.floats(0.00001, 1e9), st.sampled_from(["us", "ms", "s", "m", "h"]))
def test_a_printed_duration_is_known_to_half_of_its_last_digit(value: float, unit: str) -> None:
    scale = {"us": 1000, "ms": 1000, "s": 60, "m": 60, "h": 1e9}[unit]
    number = value % scale
    text = f"{number:.2f}{unit}"
    unit_ms = printed_ms(f"1{unit}", Path("wrk.txt"))
    read = printed_ms(text, Path("wrk.txt"))
    if number >= 1 or unit == "us":
        assert abs(read - number * unit_ms) <= printed_rounding_ms(read) * (1 + 1e-6) + 1e-9
