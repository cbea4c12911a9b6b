"""What scenarios are fed with and demand: feeders, secrets, checks and extractions."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.errors import ExitCode, UsageError
from dbz.load.generator.data.checks import ExtractionError, extract, problem_of
from dbz.load.generator.data.feeders import Feeder, FeederEmptyError, read_rows
from dbz.load.generator.data.secrets import masked, secret
from dbz.load.generator.http.answer.reader import Head
from dbz.load.generator.http.response import Response
from dbz.protocols import json_path
from tests.cli.running import dbz, newest_run, small_server


def rows_file(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    """A file with these contents."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_csv_file_with_a_byte_order_mark_quotes_and_line_ends_in_cells(tmp_path: Path) -> None:
    content = '\ufeffname,note\r\nann,"a ""b"", c"\r\nben,"two\nlines"\r\n'
    assert read_rows(rows_file(tmp_path, content)) == [
        {"name": "ann", "note": 'a "b", c'},
        {"name": "ben", "note": "two\nlines"},
    ]


def test_json_and_json_lines(tmp_path: Path) -> None:
    assert read_rows(rows_file(tmp_path, '[{"a": 1}, "b"]', "rows.json")) == [{"a": 1}, "b"]
    assert read_rows(rows_file(tmp_path, '{"a": 1}\n\n{"a": 2}\n', "rows.jsonl")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("a,b\n1,2\n1,2,3\n", "rows.csv", "rows.csv:3 has 3 values for 2 columns"),
        ("a,a\n1,2\n", "rows.csv", "rows.csv:1 must name each column once"),
        ("", "rows.csv", "has no rows"),
        ("a,b\n", "rows.csv", "has no rows"),
        ('a,b\n1,"2\n', "rows.csv", "is no CSV"),
        (b"a,b\n1,2\n\xff,2\n", "rows.csv", "rows.csv:3 is not UTF-8"),
        ('{"a": 1}', "rows.json", "is no list"),
        ("[1,", "rows.json", "is not JSON"),
        ('{"a": 1}\n{"a"\n', "rows.jsonl", "rows.jsonl:2 is not JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path: Path, content: str, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        read_rows(rows_file(tmp_path, content, name))


def taken(feeder: Feeder, most: int) -> list[str]:
    """What a feeder gives until it ends, `most` at most."""
    given_rows = []
    for _ in range(most):
        try:
            given_rows.append(feeder.take()["n"])
        except FeederEmptyError:
            break
    return given_rows


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 60), workers=st.integers(1, 6), order=st.sampled_from(["sequential", "shuffled", "unique"]))
def test_no_row_is_given_to_two_workers_and_none_is_left_out(
    tmp_path_factory: Any, rows: int, workers: int, order: Any
) -> None:
    path = rows_file(tmp_path_factory.mktemp("rows"), "n\n" + "".join(f"{number}\n" for number in range(rows)))
    if rows < workers:
        with pytest.raises(UsageError, match="rows for"):
            Feeder(path, order, "stop").settle(0, workers, 1, 5)
        return
    given_rows: list[str] = []
    for worker in range(workers):
        feeder = Feeder(path, order, "stop")
        feeder.settle(worker, workers, 1, 5)
        given_rows += taken(feeder, rows + 1)
    assert Counter(given_rows) == Counter(map(str, range(rows)))


def test_orders_and_ends(tmp_path: Path) -> None:
    path = rows_file(tmp_path, "n\n1\n2\n3\n")
    assert taken(Feeder(path, "sequential", "repeat"), 7) == ["1", "2", "3", "1", "2", "3", "1"]
    assert taken(Feeder(path, "unique", "repeat"), 7) == ["1", "2", "3"]
    assert set(taken(Feeder(path, "random", "stop"), 100)) == {"1", "2", "3"}
    failing = Feeder(path, "sequential", "fail")
    assert taken(failing, 3) == ["1", "2", "3"]
    with pytest.raises(FeederEmptyError, match=r"rows\.csv"):
        failing.take()
    with pytest.raises(UsageError, match="3 rows for 4 users"):
        Feeder(path, "unique", "stop").settle(0, 1, 4, 0)


def answered(body: Any, status: int = 200, **headers: str) -> Response:
    """An answer as the client hands it to a scenario."""
    response = Response("GET", "/x", "GET /x", lambda *_: None)
    head = Head(status, [(name.encode(), value.encode()) for name, value in headers.items()])
    response.take(head, body if isinstance(body, bytes) else json.dumps(body).encode())
    return response


@pytest.mark.parametrize(
    ("demands", "said"),
    [
        ({"status": 200}, ""),
        ({"status": {200, 201}}, ""),
        ({"status": 201}, "HTTP 200, not 201"),
        ({"json": {"$.ok": True, "$.items[0].id": 7}}, ""),
        ({"json": {"$.ok": 1}}, "$.ok is True, not 1"),
        ({"json": {"$.nothing": 1}}, "$.nothing is missing"),
        ({"json": {"$.items": len}}, ""),
        ({"json": {"$.items[0].id": lambda value: value > 7}}, "$.items[0].id is 7, which <lambda> refuses"),
        ({"text": "items"}, ""),
        ({"text": "nowhere"}, "no 'nowhere' in the body"),
        ({"headers": {"X-One": "1"}}, ""),
        ({"headers": {"X-One": "2"}}, "X-One is '1', not '2'"),
    ],
)
def test_demands_on_an_answer(demands: Any, said: str) -> None:
    answer = answered({"ok": True, "items": [{"id": 7}]}, **{"x-one": "1"})
    assert problem_of(answer, **demands) == said
    assert problem_of(answered(b"<html>"), json={"$.ok": True}) == "the body is not JSON"


def test_extractions() -> None:
    answer = answered({"token": "t", "items": [{"id": 7}]}, location="/posts/9")
    assert extract(answer, json="$.items[0].id") == 7
    assert extract(answer, regex=r'"token": "(\w+)"') == "t"
    assert extract(answer, header="Location") == "/posts/9"
    for what in ({"json": "$.nothing"}, {"regex": "nowhere"}, {"header": "x-none"}, {"json": "items"}):
        with pytest.raises(ExtractionError, match="GET /x"):
            extract(answer, **what)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$", [{"a": {"b c": [1, 2, {"id": 3}]}, "id": 0}]),
        ("$.a['b c'][0]", [1]),
        ("$.a['b c'][-1].id", [3]),
        ("$.a['b c'][*]", [1, 2, {"id": 3}]),
        ("$..id", [0, 3]),
        ("$.a.*", [[1, 2, {"id": 3}]]),
        ("$.a['b c'][9]", []),
        ("$.id.more", []),
    ],
)
def test_the_paths_of_json(path: str, values: list[Any]) -> None:
    assert json_path.find(path, {"a": {"b c": [1, 2, {"id": 3}]}, "id": 0}) == values


@pytest.mark.parametrize("path", ["a.b", "$.", "$[", "$.a[x]", "$a"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no JSONPath"):
        json_path.find(path, {})


def test_a_secret_is_taken_from_the_environment_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_TEST_SECRET", "s3cr3t-value")
    monkeypatch.setenv("DBZ_TEST_LONGER", "s3cr3t-value-and-more")
    assert secret("DBZ_TEST_SECRET") == "s3cr3t-value" and secret("DBZ_TEST_LONGER")
    assert masked("x s3cr3t-value-and-more s3cr3t-value y") == "x <DBZ_TEST_LONGER> <DBZ_TEST_SECRET> y"
    monkeypatch.setenv("DBZ_TEST_EMPTY", "")
    for name in ("DBZ_TEST_EMPTY", "DBZ_TEST_UNSET"):
        with pytest.raises(UsageError, match=name):
            secret(name)


FED = """\
from dbz.users import HttpUser, constant, extract, feeder, secret, task

ROWS = feeder("rows.csv", order="unique", at_end="stop")
KEY = secret("DBZ_TEST_KEY")

class Fed(HttpUser):
    wait_time = constant(0.05)

    def on_start(self):
        self.row = ROWS.take()

    @task
    def read(self):
        with self.client.get(f"/{self.row['path']}", name="read", catch_response=True) as answer:
            self.check(answer, status=200, text="hello")
            self.check(answer, text="nobody says this " + KEY)
"""


def test_two_workers_share_the_rows_and_a_broken_demand_is_a_failure_without_the_secret(tmp_path: Path) -> None:
    (tmp_path / "fed.py").write_text(FED)
    rows_file(tmp_path, "path\n" + "".join(f"a{number}\n" for number in range(4)))
    options = ["--users", "4", "--workers", "2", "--duration", "2s", "--warmup", "1s", "--no-live"]
    with small_server() as url:
        done = dbz("load", "fed.py", "--target", url, *options, cwd=tmp_path, DBZ_TEST_KEY="k3y-that-hides")
        assert done.returncode == ExitCode.BROKEN, done.stderr
        run = newest_run(tmp_path)
        too_many = dbz("load", "fed.py", "--target", url, "--users", "5", cwd=tmp_path, DBZ_TEST_KEY="k3y-that-hides")
    assert too_many.returncode == ExitCode.USAGE and "4 rows for 5 users" in too_many.stderr
    (group,) = run["errors"]
    assert "<DBZ_TEST_KEY>" in group["error"] and group["count"] > 10
    for path in tmp_path.rglob("*.*"):
        assert "k3y-that-hides" not in path.read_text(errors="replace"), path
    unset = dbz("load", "fed.py", "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert unset.returncode == ExitCode.USAGE and "DBZ_TEST_KEY" in unset.stderr
