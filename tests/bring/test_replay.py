"""`dbz import --replay`: the requests of a log at their recorded times, judged as any run."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.choosing import Choice
from dbz.bring.files.logs.reading import read_access_log
from dbz.bring.replay import replay_of
from dbz.config.load.arrivals import arrivals_text, recorded_arrivals, summary_of
from dbz.errors import ExitCode, UsageError
from tests.cli.running import dbz, newest_run

SPEED = 2.0
LINES = [
    {"time": 1_790_000_000 + at_s, "method": method, "path": path, "status": status}
    for at_s, method, path, status in [
        *((number * 0.05, "GET", f"/posts/{number % 7}?q={number}", 200) for number in range(60)),
        (1.52, "GET", "/gone", 404),
        (3.11, "HEAD", "/last", 200),
        (3.0, "POST", "/posts", 201),
    ]
]


class _Noting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.arrived.append((time.monotonic(), self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_every_line_is_requested_once_at_its_time_by_two_workers_and_judged(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Noting)
    server.daemon_threads = True
    server.arrived = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    target = f"http://127.0.0.1:{server.server_port}"
    try:
        made = dbz(
            "import", "access.log", "--replay", "-o", "day.py", "--speed", str(SPEED), "--target", target, cwd=tmp_path
        )  # fmt: skip
        again = dbz("import", "access.log", "--replay", "-o", "day.py", cwd=tmp_path)
        done = dbz("load", "day.yaml", "--workers", "2", "--no-live", cwd=tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert made.returncode == ExitCode.OK and "62 requests in 1.5" in made.stdout, made.stdout + made.stderr
    assert "1 requests with bodies are left out" in made.stderr
    assert again.returncode == ExitCode.USAGE and "not written over" in again.stderr
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    due_s = {(line["method"], line["path"]): line["time"] - 1_790_000_000 for line in LINES if line["method"] != "POST"}
    arrived = [one for one in server.arrived if one[2].startswith(("/posts", "/gone", "/last"))]  # type: ignore[attr-defined]
    assert Counter(one[1:] for one in arrived) == Counter(list(due_s))
    late_s = [at_s - due_s[method, path] / SPEED for at_s, method, path in arrived]
    assert median(late_s) - min(late_s) < 0.5, "they came at other times"
    run = newest_run(tmp_path)
    counted = {one["name"]: (one["count"], one["errors"]) for one in run["operations"] if one["kind"] == "http"}
    assert counted == {"GET /posts/{id}": (60, 0), "GET /gone": (1, 0), "HEAD /last": (1, 0)}
    assert run["profile"]["speed"] == SPEED and run["profile"]["arrivals"].endswith("day.jsonl")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no arrivals"),
        ('{"schema": "dbz.arrivals/1"}\n', "no arrivals"),
        ('{"at_s": 1}\n', "no schema dbz.arrivals/1"),
        ('{"schema": "dbz.arrivals/1"}\n{"at_s": 2}\n{"at_s": 1}\n', ":3: at_s is no time that is 2 s or later"),
        ('{"schema": "dbz.arrivals/1"}\n{"at_s": "x"}\n', ":2: at_s"),
        ('{"schema": "dbz.arrivals/1"}\n{"at_s": 1', ":2: not JSON"),
        ('{"schema": "dbz.arrivals/1"}\n[1]\n', ":2: not an object"),
    ],
)
def test_a_file_of_arrivals_that_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        summary_of(str(path))


@given(st.lists(st.floats(0, 1e6)).map(sorted), st.integers(1, 5))
def test_workers_share_arrivals_without_overlap(
    tmp_path_factory: pytest.TempPathFactory, times_s: list[float], workers: int
) -> None:
    path = tmp_path_factory.mktemp("arrivals") / "a.jsonl"
    path.write_text(arrivals_text({"at_s": at_s, "number": number} for number, at_s in enumerate(times_s)))
    shares = [list(recorded_arrivals(str(path), worker, workers)) for worker in range(workers)]
    numbers = sorted(row["number"] for share in shares for _, row in share)
    assert numbers == list(range(len(times_s)))
    assert all(at_s == times_s[row["number"]] for share in shares for at_s, row in share)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30).map(sorted), st.sampled_from([0.5, 1.0, 3.0]))
def test_requests_of_one_second_of_a_log_stay_in_it_and_in_their_order(seconds: list[int], speed: float) -> None:
    lines = [
        f'1.2.3.4 - - [10/Oct/2026:13:55:{at:02} +0000] "GET /p?n={number} HTTP/1.1" 200 1'
        for number, at in enumerate(seconds)
    ]
    made = replay_of(read_access_log(lines, "log"), Choice("http://127.0.0.1:1"), "log", "log", speed)
    rows = [json.loads(line) for line in made.arrivals.splitlines()[1:]]
    assert [row["path"] for row in rows] == [f"/p?n={number}" for number in range(len(seconds))]
    assert [int(row["at_s"] + 1e-6) for row in rows] == [at - seconds[0] for at in seconds]


@given(st.lists(st.sampled_from([0, 200, 304, 401, 404, 422, 429, 499, 500, 502, 504]), min_size=1, max_size=20))
def test_a_failure_that_a_log_has_is_not_what_its_replay_takes_for_right(statuses: list[int]) -> None:
    lines = [
        f'{{"time": {1e9 + at}, "method": "GET", "path": "/a", "status": {status}}}'
        for at, status in enumerate(statuses)
    ]
    made = replay_of(read_access_log(lines, "log"), Choice("http://127.0.0.1:1"), "log", "log", 1.0)
    right = [json.loads(line)["status"] for line in made.arrivals.splitlines()[1:]]
    assert right == [0 if status in (429, 499, 500, 502, 504) else status for status in statuses]


def test_what_has_no_times_cannot_be_played_again() -> None:
    with pytest.raises(UsageError, match="have no times"):
        replay_of(read_access_log(['{"method": "GET", "path": "/a"}'], "log"), Choice(), "log", "log", 1.0)
