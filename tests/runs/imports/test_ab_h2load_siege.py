"""ab, h2load and siege: what they printed of real runs, by hand what these do not show, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, figure_of, judged, value_of, written

AB, H2LOAD, LOG, SIEGE = ((FILES / name).read_text() for name in ("ab.txt", "h2load.txt", "h2load.log", "siege.txt"))
SIEGE_LINES = """\
** SIEGE 4.0.4
** Preparing 15 concurrent users for battle.
The server is now under siege...
Transactions:		        2000 hits
Availability:		       99.50 %
Elapsed time:		       58.57 secs
Data transferred:	        5.75 MB
Response time:		        0.25 secs
Transaction rate:	       34.15 trans/sec
Throughput:		        0.10 MB/sec
Concurrency:		        8.54
Successful transactions:        1914
Failed transactions:	          10
Longest transaction:	        4.56
Shortest transaction:	        0.00
"""


@pytest.mark.parametrize(
    ("name", "stat", "expected"),
    [
        ("ab.txt", "error_rate", 60 / 300),
        ("ab.txt", "count", 240),
        ("ab.txt", "rate", 240 / 1.674),
        ("ab.txt", "max", 205),
        ("ab.txt", "p75", 200),  # rank 225 of 240 successes, whose times lie between ab's own p75 and p95
        ("ab.txt", "p90", math.inf),
        ("h2load.txt", "error_rate", 60 / 300),
        ("h2load.txt", "rate", 162.70 * 240 / 300),
        ("h2load.txt", "max", 202.37),
        ("h2load.txt", "p90", math.inf),
        ("h2load.log", "error_rate", 60 / 300),
        ("h2load.log", "p90", math.inf),
        ("siege.txt", "error_rate", 40 / 200),
        ("siege.txt", "rate", 160 / 3.90),
        ("siege.txt", "max", 320),
    ],
)
def test_figures_of_files(name: str, stat: str, expected: float) -> None:
    found = figure_of(FILES / name, "http", stat)
    assert found is not None
    assert found.value == pytest.approx(expected) or (found.low or 0.0) <= expected <= found.value


@pytest.mark.parametrize("name", ["ab.txt", "h2load.txt", "siege.txt", "hey.txt", "wrk.txt"])
def test_what_was_redirected_on_windows_is_the_same(tmp_path: Path, name: str) -> None:
    text = (FILES / name).read_text()
    path = written(tmp_path, text.replace("\n", "\r\n").encode("utf-16"), name)
    assert value_of(path, "http", "error_rate") == value_of(FILES / name, "http", "error_rate") is not None


@pytest.mark.parametrize("text", ["\n", " ", "\t\n", "{", "Total: 1 1 1", " min max ", "transactions: 1 hits\n"])
def test_no_text_takes_long_to_be_told_apart(tmp_path: Path, text: str) -> None:
    # Where this is not linear it takes minutes, which the suite ends.
    with pytest.raises(UsageError):
        read_file(written(tmp_path, text * 200_000, "result.txt"))


def test_what_h2load_prints_and_its_log_say_the_same_of_one_run() -> None:
    rows = [[int(cell) for cell in line.split("\t")] for line in LOG.splitlines()]
    mean_ms = sum(took for _, status, took in rows if status < 400) / sum(status < 400 for _, status, _ in rows) / 1000
    printed, logged = (figure_of(FILES / name, "http", "mean") for name in ("h2load.txt", "h2load.log"))
    assert printed and logged and logged.value == pytest.approx(mean_ms, rel=0.01)
    assert (printed.low or 0.0) <= mean_ms <= printed.value * 1.001


def test_slow_failures_of_siege_do_not_lengthen_the_mean_of_the_others_for_sure() -> None:
    # 160 answers of 5 ms and 40 refusals of 300 ms: siege says 0.08 s, and divides by the answers alone.
    mean = figure_of(FILES / "siege.txt", "http", "mean")
    assert mean and mean.low is not None and mean.low <= 0.8 * 5.5 + 0.2 * 300 <= mean.value
    assert judged([FILES / "siege.txt"], budget("http", "error_rate", "< 10%"))[0] == 1


def test_siege_as_lines_in_seconds_or_milliseconds_is_the_same(tmp_path: Path) -> None:
    later = SIEGE_LINES.replace("0.25 secs", "250.00 ms").replace("4.56", "4560.00 ms")
    found = [
        [figure_of(written(tmp_path, text, "siege.txt"), "http", stat) for stat in ("max", "error_rate", "rate")]
        for text in (SIEGE_LINES, later)
    ]
    assert found[0] == found[1]
    assert value_of(written(tmp_path, SIEGE_LINES, "siege.txt"), "http", "error_rate") == pytest.approx(96 / 2010)
    # JSON has no units: so much time as these seconds would be was never spent.
    in_ms = SIEGE.replace("0.08", "82.40").replace("0.32", "320.00")
    assert value_of(written(tmp_path, in_ms, "siege.txt"), "http", "max") == 320


def test_a_siege_that_reached_nobody_measured_failures_alone(tmp_path: Path) -> None:
    nothing = SIEGE.replace("160", "0").replace("0.08", "nan")
    path = written(tmp_path, nothing + "LOG FILE: /var/log/siege.log\n", "siege.txt")
    assert value_of(path, "http", "error_rate") == 1
    for stat in ("p95", "mean"):
        assert judged([path], budget("http", stat, "< 1s"))[0] == 1


def test_answers_of_another_length_have_failed_as_ab_says(tmp_path: Path) -> None:
    failed = "Failed requests:        98\n   (Connect: 0, Receive: 0, Length: 98, Exceptions: 0)"
    text = AB.replace("Non-2xx responses:      60\n", "").replace("Failed requests:        0", failed)
    path = written(tmp_path, text, "ab.txt")
    assert value_of(path, "http", "error_rate") == 98 / 300 and "ab -l" in read_file(path).notes[-1]
    # Together with refusals nothing says whether these are the same, so that there may be more.
    both = written(tmp_path, AB.replace("Failed requests:        0", failed), "ab.txt")
    assert value_of(both, "http", "error_rate") is None
    assert judged([both], budget("http", "error_rate", "< 10%"))[0] == 1


def test_connections_that_failed_have_no_time(tmp_path: Path) -> None:
    failed = "Failed requests:        100\n   (Connect: 100, Receive: 0, Length: 0, Exceptions: 0)"
    text = AB.replace("Non-2xx responses:      60\n", "").replace("Failed requests:        0", failed)
    path = written(tmp_path, text, "ab.txt")
    assert value_of(path, "http", "error_rate") == 100 / 400 and value_of(path, "http", "p80") == math.inf


def test_newer_h2load_has_percentiles_in_more_columns(tmp_path: Path) -> None:
    head, _, rest = H2LOAD.partition("                     min")
    _, _, rest = rest.partition("\ntime for connect")
    table = (
        "                     min         max      median         p95         p99        mean         sd     +/- sd\n"
    )
    row = "request     :       30us    202.37ms      5.35ms    200.9ms     201.5ms     26.52ms    62.49ms    88.67%"
    path = written(
        tmp_path, f"{head}{table}{row}\ntime for connect{rest}".replace(", 60 failed", ", 0 failed"), "h2.txt"
    )
    assert value_of(path, "http", "p95") == 200.9 and value_of(path, "http", "p50") == 5.35


def test_requests_that_h2load_did_not_begin_have_failed(tmp_path: Path) -> None:
    gone = "18 started, 13 done, 13 succeeded, 287 failed, 287 errored, 0 timeout"
    path = written(
        tmp_path, H2LOAD.replace("300 started, 300 done, 240 succeeded, 60 failed, 0 errored, 0 timeout", gone)
    )
    assert value_of(path, "http", "error_rate") == 287 / 300 and value_of(path, "http", "rate") == 162.70


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (AB + AB, "several runs"),
        (AB.partition("Complete requests")[0], "was the run given up"),
        (AB.partition("Connection Times")[0], "no line of ab with the times"),
        (AB.replace("Failed requests:        0", "Failed requests:        301"), "which cannot be"),
        (H2LOAD + H2LOAD, "2 runs of h2load"),
        (H2LOAD.partition("finished in")[0], "cut off"),
        (H2LOAD.replace("time for request:", "time:"), "no line of h2load with the times"),
        (H2LOAD.replace("0 errored", "90 errored"), "which cannot be"),
        (LOG[:-3] + "x\n", r":300: this is no line of h2load's log"),
        (SIEGE + SIEGE, "several runs"),
        (SIEGE.partition('\t"longest')[0], "longest_transaction"),
        (
            SIEGE.replace('"successful_transactions":	         160', '"successful_transactions":	         999'),
            "which cannot be",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_file(written(tmp_path, text, "result.txt"))


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Percentage served,Time in ms\n0,0.029\n1,0.031\n", "what ab prints"),
        ("starttime\tseconds\tctime\tdtime\tttime\twait\nTue Dec 01\t1\t0\t0\t0\t0\n", "what ab prints"),
        ("<p>\n This is ApacheBench, Version 2.3 <i>&lt;$Revision$&gt;</i><br>\n", "what ab prints"),
        ("      Date & Time,  Trans,  Elap Time,  Data Trans\n2026-12-01 16:40:08, 0, 0.00\n", "siege -j"),
        ("Requests      [total, rate, throughput]         50, 51.02, 51.01\nDuration      [total]  1s\n", "-type=json"),
        ("\n     http_req_duration..............: avg=5ms min=1ms med=4ms max=9ms p(95)=9ms\n", "--summary-export"),
        ("Type;Name;Request Count;Failure Count\nGET;/a;10;0\n", "_stats.csv"),
        ("summary =    100 in 00:00:10 =   10.0/s Avg:    20 Min:     1 Max:    90 Err:     0\n", "results.jtl"),
        ("1700000000000,12,GET /a,200,OK,Thread 1-1,text,true,,11,0,1,1,http://a,12,0,3\n", "print_field_names"),
        ("Running 1s test @ http://127.0.0.1/\n5 connections\n\n│ Stat    │ 2.5% │\n", "autocannon --json"),
        ("Summary:\n  Success rate:\t100.00%\n  Total:\t2.0 s\n", "oha --output-format json"),
        ("All VUs finished. Total time: 5 seconds\n\nhttp.response_time:\n  min: ... 1\n", "--output results.json"),
        ('{"Total": {"transaction": "Total", "sampleCount": 5, "pct1ResTime": 120.0}}', "results.jtl"),
        ("timeStamp|elapsed|label|success\n1700000000000|12|a|true\n", "between commas, semicolons or tabs"),
        ("timeStamp,elapsed,label\n1700000000000,12,a\n", "success"),
        ("Bucket           #     %       Histogram\n[0s,     1ms]    5     5.00%   ###\n", "-type=json"),
        ("request-start,DNS,DNS+dialup,Response-delay,request-duration\n0,0,0,0,0.1\n", "oha --output"),
        ("<!DOCTYPE html>\n<html><head><title>Locust</title>\n", "JSON or CSV"),
        ("Bombarding http://127.0.0.1:80/ for 10s using 125 connection(s)\n", "--format=json"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_read_is_named_with_the_one_to_give_instead(tmp_path: Path, text: str, instead: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_file(written(tmp_path, text, "result.txt"))
    assert caught.value.hint and instead in caught.value.hint


def test_what_no_tool_wrote_is_not_called_malformed_json(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_file(written(tmp_path, "hello\n", "result.txt"))
    assert "Expecting value" not in caught.value.message and "ab, h2load and siege" in (caught.value.hint or "")
