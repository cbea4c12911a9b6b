"""What a scenario does once a run: over all workers, also when it is interrupted, and no load when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from dbz.errors import ExitCode, UsageError
from dbz.load.generator.setup import once
from dbz.load.spec import GeneratorRole, GeneratorSpec
from tests.cli.running import dbz, newest_run, start_dbz

SCENARIO = """\
from dbz.users import HttpUser, constant, setup, task, teardown

@setup
def open_a_club(run):
    return {"club": run.client.post("/clubs").text}

@teardown
def close_it(run):
    run.client.delete(f"/clubs/{run.shared['club']}")

class Member(HttpUser):
    wait_time = constant(0.05)

    @task
    def look(self):
        self.client.get(f"/clubs/{self.shared['club']}/posts?worker={self.session.spec.worker}", name="posts")
"""


class _Clubs(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Every club's posts are there; a club that is closed already has none."""
        self._answer(404 if self.path.startswith("/healthz") else 200)

    def do_POST(self) -> None:
        """Opens a club, unless the server is to refuse that."""
        self._answer(self.server.status)  # type: ignore[attr-defined]

    do_DELETE = do_GET

    def _answer(self, status: int) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/clubs" in self.path:
            self.server.seen.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"7")

    def log_message(self, *_: object) -> None:
        """Silent."""


class Clubs:
    """A server with clubs, and what was asked of it since the last `forget`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Clubs)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.forget()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def forget(self, status: int = 200) -> None:
        """From now on opening a club is answered so."""
        self._server.seen, self._server.status = [], status  # type: ignore[attr-defined]

    @property
    def seen(self) -> list[str]:
        """Method and path of each request to clubs."""
        return list(self._server.seen)  # type: ignore[attr-defined]

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


@pytest.fixture(scope="module")
def clubs() -> Iterator[Clubs]:
    server = Clubs()
    yield server
    server.stop()


def without_teardown(seen: list[str]) -> list[str]:
    """The other requests; the teardown must be the last one, but for what the server had yet to read of each user."""
    assert seen.count("DELETE /clubs/7") == 1 and "DELETE /clubs/7" in seen[-5:]
    return [one for one in seen if one != "DELETE /clubs/7"]


OPTIONS = ["--users", "4", "--duration", "2s", "--warmup", "1s", "--no-live", "--budgets", "none"]


def test_one_setup_and_one_teardown_for_two_workers(tmp_path: Path, clubs: Clubs) -> None:
    (tmp_path / "clubs.py").write_text(SCENARIO)
    clubs.forget()
    done = dbz("load", "clubs.py", "--target", clubs.url, "--workers", "2", *OPTIONS, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    loads = without_teardown(clubs.seen)
    assert loads.pop(0) == "POST /clubs"
    assert set(loads) == {"GET /clubs/7/posts?worker=0", "GET /clubs/7/posts?worker=1"}
    assert [one["name"] for one in newest_run(tmp_path)["operations"]] == ["GET posts"]


def test_without_its_setup_there_is_no_load_and_nothing_to_clean_up(tmp_path: Path, clubs: Clubs) -> None:
    (tmp_path / "clubs.py").write_text(SCENARIO)
    clubs.forget(status=503)
    done = dbz("load", "clubs.py", "--target", clubs.url, *OPTIONS, cwd=tmp_path)
    assert done.returncode == ExitCode.INVALID, done.stderr
    assert clubs.seen == ["POST /clubs"]
    reason = newest_run(tmp_path)["reasons"][0]
    assert reason.startswith("the setup of the scenario failed, so there was no load: ")
    assert "POST /clubs: HTTP 503" in reason and "clubs.py:5" in reason
    tried = dbz("try", "clubs.py", "--target", clubs.url, cwd=tmp_path)
    assert tried.returncode == ExitCode.BROKEN and "scenario.setup raised" in tried.stdout
    assert clubs.seen == ["POST /clubs"] * 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_cleans_up(tmp_path: Path, clubs: Clubs, workers: str) -> None:
    (tmp_path / "clubs.py").write_text(SCENARIO)
    clubs.forget()
    command = ["load", "clubs.py", "--target", clubs.url, "--workers", workers, *OPTIONS, "--duration", "90s"]
    running = start_dbz(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: any(one.startswith("GET") for one in clubs.seen))
        os.kill(running.pid, signal.SIGINT)
        assert running.wait(60) == ExitCode.INTERRUPTED
    finally:
        running.kill()
    without_teardown(clubs.seen)


def _until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


class _Notes:
    """What a preparation notes."""

    def __init__(self) -> None:
        self.now_s = 3.0
        self.marks: list[tuple[str, float]] = []
        self.errors: list[str] = []

    def mark(self, what: str, at_s: float, **_: object) -> None:
        """Keep it."""
        self.marks.append((what, at_s))

    def note_error(self, kind: str, name: str, error: str) -> None:
        """Keep it."""
        self.errors.append(f"{kind} {name}: {error}")


SPEC = GeneratorSpec(
    folder="", role=GeneratorRole.LOCAL, worker=0, workers=1, scenario="", target="http://127.0.0.1:9", users=3,
    rate_per_s=None, duration_s=1, warmup_s=0, seed=5, clubs=1, started_epoch_s=0, started_monotonic_s=0,
)  # fmt: skip


@pytest.fixture
def nothing_registered() -> Iterator[None]:
    once._Registered.setup = once._Registered.teardown = None
    yield
    once._Registered.setup = once._Registered.teardown = None


def prepared(
    function: Any, interrupted: Event | None = None, **options: float
) -> tuple[once.Preparation, _Notes, bool]:
    once._Registered.setup = None
    once.setup(**options)(function) if options else once.setup(function)
    notes = _Notes()
    preparation = once.Preparation(replace(SPEC), notes, interrupted or Event())
    return preparation, notes, preparation.prepare()


@pytest.mark.usefixtures("nothing_registered")
def test_what_can_go_wrong_in_a_setup_is_one_clear_message() -> None:
    def refused(run: once.OnceARun) -> None:
        run.client.get("/hello")

    def sleepy(_: once.OnceARun) -> None:
        Event().wait(30)

    for function, options, said in (
        (refused, {}, "GET /hello: "),
        (sleepy, {"timeout": 0.2}, "it was not done within 0.2 s"),
        (lambda _: object(), {}, "setup returned what JSON cannot hold"),
        (lambda _: 1 / 0, {}, "ZeroDivisionError: division by zero"),
        (lambda _: exit(3), {}, "SystemExit: 3"),
    ):
        preparation, notes, ready = prepared(function, **options)  # type: ignore[arg-type]
        (error,) = notes.errors
        assert not ready and error.startswith("setup setup: ") and said in error
        assert preparation.shared is None and not preparation.leaves_something
        assert [what for what, _ in notes.marks] == ["setup_until"] * 2 and notes.marks[0][1] > notes.marks[1][1] == 3
    stopped = Event()
    stopped.set()
    _, notes, ready = prepared(sleepy, stopped)
    assert not ready and not notes.errors  # who interrupts a setup knows why there is no load


@pytest.mark.usefixtures("nothing_registered")
def test_what_the_process_did_before_is_not_taken_off_the_time_of_a_setup() -> None:
    gevent.sleep(0.01)
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < 0.4:
        """Busy: the event loop does not get to look at the clock."""
    begun_s = time.monotonic()
    _, notes, ready = prepared(lambda _: Event().wait(30), timeout=0.3)
    assert not ready and "it was not done within 0.3 s" in notes.errors[0]
    assert time.monotonic() - begun_s > 0.25


@pytest.mark.usefixtures("nothing_registered")
def test_what_setup_returns_reaches_users_and_teardown_as_json_has_it() -> None:
    torn: list[Any] = []
    once.teardown(lambda run: torn.append(run.shared))
    preparation, _, ready = prepared(lambda run: {"users": (run.users, run.seed)})
    shared = once.Shared()
    assert ready and preparation.leaves_something and preparation.shared
    shared.put(preparation.shared)
    assert shared.get() == {"users": [3, 5]} and shared.get() is shared.get()
    preparation.clean_up()
    preparation.clean_up()
    assert torn == [{"users": [3, 5]}]
    with pytest.raises(UsageError, match="two functions for setup"):
        once.setup(lambda _: None)
