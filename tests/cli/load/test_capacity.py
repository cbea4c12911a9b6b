"""`dbz capacity` as a user runs it, against a server whose limit is known: it answers one request at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from dbz.load.capacity.result import TAKEN_PERCENT
from tests.cli.running import dbz, start_dbz

BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: slow, of: http, stat: p50, limit: "< 250ms"}
"""


class _OneAtATime(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 4096  # head and body in one packet: two would wait for each other's acknowledgement
    coming = threading.Lock()
    last = threading.Event()
    last.set()

    def do_GET(self) -> None:
        """Takes 100 ms, and whoever comes meanwhile waits: the time of N users is N times 100 ms.

        So slow that the lag of a generator on a busy machine cannot decide anything. Each waits for the one that came
        before: a lock alone goes to whoever runs just then, and one user could have it again and again.
        """
        mine = threading.Event()
        with self.coming:
            before, _OneAtATime.last = self.last, mine
        before.wait()
        time.sleep(0.6 if self.path == "/slow" else 0.1)
        mine.set()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The base URL of the server."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _OneAtATime)
    http.daemon_threads = True
    http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients of a load test hang up as they like
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    return tmp_path


def options(*more: str) -> list[str]:
    return ["--budgets", "budgets.yaml", "--step-duration", "1s", *more]


def saved(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("reports/*/capacity.json")
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_the_load_that_a_server_can_take_is_found(folder: Path, server: str) -> None:
    """Two users wait 200 ms, three would wait 300 ms; a machine that is busy with other things may make it one.

    Where it was so busy that nothing could be decided about three, that many are no limit that was found.
    """
    done = dbz("capacity", server, *options("--start", "2", "--max", "4", "--json"), cwd=folder)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found == saved(folder)
    assert found["capacity"]["load"] in (1, 2)
    assert found["limit"] == found["capacity"]["load"] + 1
    above = [step for step in found["steps"] if step["load"] == found["limit"]]
    decided = [step for step in above if step["answer"] == "breaks"]
    assert all(step["others_percent"] > TAKEN_PERCENT for step in above if step not in decided), above
    assert found["outcome"] == ("found" if decided else "at least")
    assert [one["name"] for one in found["broken"]] == ["slow"]
    for end in (found["capacity"]["load"], found["limit"]):
        assert any(step["load"] == end and step["judged_s"] >= 1 for step in found["steps"])
    (page,) = folder.glob("reports/*/capacity.html")
    (run,) = {step["run"] for step in found["steps"]}
    assert (page.parent / "runs" / run / "report.html").exists()
    starts = [step["start_s"] for step in found["steps"]]
    assert starts == sorted(set(starts))
    assert any(step["recovery_s"] > 0 for step in found["steps"])


def test_a_limit_on_the_search_gives_at_least(folder: Path, server: str) -> None:
    done = dbz("capacity", server, *options("--start", "1", "--max", "1"), cwd=folder)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert "AT LEAST" in done.stdout and "at least 1 user" in done.stdout
    assert "phase_2" in done.stdout


def test_a_server_that_is_always_too_slow_holds_nothing(folder: Path, server: str) -> None:
    done = dbz("capacity", f"{server}slow", *options("--start", "1"), cwd=folder)
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    assert "NOTHING HOLDS" in done.stdout and "slow: p50 of http is" in done.stdout


def test_ctrl_c_reports_what_is_known(folder: Path, server: str) -> None:
    process = start_dbz(
        ["capacity", server, *options("--start", "1")],
        cwd=folder, env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "holds" in line:
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "INTERRUPTED" in out and "so far, all budgets hold at 1 user" in out
    assert saved(folder)["outcome"] == "interrupted"


def test_a_growing_rate_says_where_the_search_begins(folder: Path, server: str) -> None:
    """One request of 100 ms at a time: ten a second, wherever on the way from three to a thousand that is."""
    process = start_dbz(
        ["capacity", server, "--rate", "20/s", "--max", "1000", *options()],
        cwd=folder, env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    seen = [next(line for line in process.stderr if sign in line) for sign in ("up to 1,000", "falls behind", "s …")]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    ramp = saved(folder)["ramp"]
    assert 5 <= ramp["knee_per_s"] <= 15
    assert 4 <= int(seen[-1].split()[0]) <= 13, "the search begins elsewhere"
    run = json.loads(next(folder.glob(f"reports/*/runs/{ramp['run']}/run.json")).read_text())
    assert "until the target fell behind" in run["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mixed", "--step-duration", "20"], ExitCode.USAGE, "--step-duration: '20' is not a duration"),
        (["mixed", "--start", "9", "--max", "8"], ExitCode.USAGE, "--start 9 is more than --max 8"),
        (["mixed", "--start", "0"], ExitCode.USAGE, "--start"),
        (["mixd"], ExitCode.USAGE, "did you mean 'mixed'?"),
        (["mixed", "--phases", "none.yaml"], ExitCode.USAGE, "phases file 'none.yaml' does not exist"),
        (["mixed", "--max", "1000000"], ExitCode.USAGE, "100000"),
        (["api", "--target", "http://127.0.0.1:9"], ExitCode.UNREACHABLE, "cannot reach the target"),
        (["api", "--target", "http://192.0.2.1"], ExitCode.USAGE, "nobody allowed a load on it"),
    ],
)
def test_what_cannot_be_searched_is_refused(folder: Path, arguments: list[str], code: int, message: str) -> None:
    done = dbz("capacity", *arguments, cwd=folder)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
