"""Locust's CSV and JSON of one run: the same verdicts, and what is in none of its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from dbz.errors import UsageError
from dbz.runs.imports.reading import read_file
from tests.runs.imports.reading import FILES, budget, judged, value_of, written

PROGRAM = Path(__file__).parent / "locust_writes.py"
Write = Callable[[Sequence[Sequence[tuple[int | None, bool]]]], Path]
HEAD = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n"
)


def row(method: str = "GET", name: str = "/a", count: object = 100, failures: object = 0, mean: object = 20) -> str:
    return f"{method},{name},{count},{failures},20,{mean},1,90,10,5,0,20,25,30,35,40,50,60,70,80,90,90\n"


TOTALS = row(method="", name="Aggregated")


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Has Locust write cases of attempts; the folder with `case-0.json`, `case-0_stats.csv` and so on."""

    def write(cases: Sequence[Sequence[tuple[int | None, bool]]]) -> Path:
        folder = tmp_path_factory.mktemp("locust")
        (folder / "cases").write_text(json.dumps(cases))
        subprocess.run([sys.executable, PROGRAM, folder, folder / "cases"], check=True, timeout=60)
        return folder

    return write


def test_one_run_has_one_verdict_in_both_forms(write: Write) -> None:
    folder = write([[(1, True)] * 300 + [(10, False)] * 350 + [(1000, False)] * 350])
    for path in (folder / "case-0.json", folder / "case-0_stats.csv"):
        assert value_of(path, "http", "p50") == pytest.approx(1000, rel=0.002)
        assert value_of(path, "http", "mean") == pytest.approx(505, rel=0.002)
        assert judged([path], budget("http", "p50", "< 500ms"), budget("http", "mean", "< 400ms"))[0] == 1


def test_the_totals_of_locust_say_nothing_better_than_its_samples(write: Write) -> None:
    random = Random(15)
    cases = [
        [(random.choice([1, 9, 40, 350, 2800]), random.random() < bad) for _ in range(random.randint(1, 400))]
        for bad in (0, 0, 0.005, 0.02, 0.1, 0.3, 0.6, 1) * 6
    ]
    folder = write(cases)
    for number, _ in enumerate(cases):
        for stat in ("p50", "p66", "p75", "p80", "p90", "p95", "mean", "error_rate", "count"):
            by_samples = value_of(folder / f"case-{number}.json", "http", stat)
            by_totals = value_of(folder / f"case-{number}_stats.csv", "http", stat)
            assert by_samples is not None and by_totals is not None
            if stat in ("error_rate", "count"):
                assert by_totals == by_samples
            assert by_totals >= by_samples * 0.997, (number, stat)


def test_requests_without_a_time_are_attempts(write: Write) -> None:
    path = write([[(None, True)] * 40 + [(10, False)] * 60]) / "case-0.json"
    assert value_of(path, "http", "error_rate") == 0.4 and value_of(path, "http", "p75") == float("inf")
    assert value_of(path, "http", "p50") == pytest.approx(10, rel=0.01) and value_of(path, "http", "count") == 60


def test_all_files_of_a_run_are_read_together(tmp_path: Path) -> None:
    stats = written(tmp_path, HEAD + row(count=100) + row("", "Aggregated", 100), "run_stats.csv")
    failures = written(tmp_path, "Method,Name,Error,Occurrences,First Seen,Last Seen\n", "run_failures.csv")
    history = written(tmp_path, "Timestamp,User Count,Type,Name,Requests/s\n", "run_stats_history.csv")
    head = "Count,Message,Traceback,Nodes\n"
    exceptions = written(tmp_path, head, "run_exceptions.csv")
    every = [stats, failures, history, exceptions]
    error_rate = budget("errors", "error_rate", "< 5%")
    assert judged(every, error_rate, budget("http", "p95", "< 1s"))[0] == 0
    # What tasks raised is no request, and no success either.
    written(tmp_path, f'{head}25,"KeyError: \'id\'","Traceback\n  File ""x""",local\n', "run_exceptions.csv")
    code, run = judged(every, error_rate)
    assert code == 1 and run.budgets[0].value == pytest.approx(25 / 125)
    for alone in (failures, history, exceptions):
        with pytest.raises(UsageError, match=r"ends in _stats\.csv"):
            judged([alone], error_rate)


def test_both_forms_of_one_run_are_not_counted_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be added up") as refused:
        judged([FILES / "locust.json", FILES / "locust_stats.csv"], budget("http", "p95", "< 1s"))
    assert "either the JSON or the CSV" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (row(failures=130), "130 of 100 attempts of /a failed, which cannot be"),
        (row(count="inf"), "'Request Count' should be a finite number, not inf"),
        (row(count="nan"), "'Request Count' should be a finite number, not nan"),
        (row(count=-3), "'Request Count' should be a number from 0"),
        (row(count=1.5), "'Request Count' should be a whole number"),
        (row(mean="1e300"), "'Average Response Time' should be a number from 0"),
        (row(mean="many"), "'many' under 'Average Response Time' should be a number"),
        (row(name='"' + "x" * 17_000_000 + '"'), "is not a CSV that can be read"),
    ],
)
def test_a_row_that_cannot_be_is_one_clear_error(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_file(written(tmp_path, HEAD + text, "l_stats.csv"))


def test_a_name_may_be_a_very_long_url(tmp_path: Path) -> None:
    long = "/search?filter=" + "x" * 140_000
    path = written(tmp_path, HEAD + row(name=long) + row("", "Aggregated"), "l_stats.csv")
    assert value_of(path, "http", "p95") == 50 and f"GET {long}" in {of.name for of in read_file(path).summaries}


def test_odd_characters_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + row(name="/a\x00b", count=10) + TOTALS, "l_stats.csv")
    assert {of.name for of in read_file(path).summaries} == {"GET /a\x00b", ""}


def test_a_file_that_is_cut_off_anywhere_says_so(tmp_path: Path) -> None:
    whole = HEAD + row(name="/a", count=10) + row(name="/b", count=10) + TOTALS
    assert len(read_file(written(tmp_path, whole, "l_stats.csv")).summaries) == 3
    for end in range(len(HEAD) + 1, len(whole) - len(TOTALS.rpartition(",")[2])):
        with pytest.raises(UsageError, match="is it cut off"):
            read_file(written(tmp_path, whole[:end], "l_stats.csv"))


def test_operations_that_differ_in_a_secret_only_are_not_lost(tmp_path: Path) -> None:
    rows = row(name="/a?token=one", count=10) + row(name="/a?token=two", count=20, failures=20)
    path = written(tmp_path, HEAD + rows + TOTALS, "l_stats.csv")
    assert {of.name: one.count for of, one in read_file(path).summaries.items() if of.name} == {
        "GET /a?token=***": 10,
        "GET /a?token=*** (2)": 20,
    }
    entry = {
        "method": "GET",
        "num_failures": 0,
        "start_time": 0,
        "last_request_timestamp": 9,
        "response_times": {"5": 4},
    }
    path = written(tmp_path, [entry | {"name": f"/a?token={n}"} for n in range(3)], "l.json")
    assert value_of(path, 'http{op="GET /a?token=***"}', "count") == 12
