"""Values that are one user's own: in whatever order answers come, a mix-up of users is found, and nothing else."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dbz.errors import ExitCode
from dbz.load.generator.data.ownership import Ownership
from dbz.load.generator.http.answer.head import Head
from dbz.load.generator.http.response import Response
from tests.cli.running import dbz, newest_run

USERS = st.integers(0, 4)


def answered(body: object, operation: str = "GET /me") -> Response:
    answer = Response("GET", "/me", operation, lambda *_: None)
    answer.take(Head(200, []), json.dumps(body).encode())
    return answer


@given(st.lists(st.tuples(USERS, USERS), max_size=30))
def test_a_mix_up_is_found_and_nothing_else(answers: list[tuple[int, int]]) -> None:
    """Each pair is who asked, and whose data came. Who gets only its own never fails, unless its data were given away;
    who got two users' data, or what two got, has failed.
    """
    kept = Ownership()
    failed = [bool(kept.problem_of(asked, answered({"id": whose}), "$.id")) for asked, whose in answers]
    if all(asked == whose for asked, whose in answers):
        assert not any(failed)
    by_user = {asked: {whose for who, whose in answers if who == asked} for asked, _ in answers}
    by_value = {whose: {asked for asked, what in answers if what == whose} for _, whose in answers}
    assert any(failed) is any(len(found) > 1 for found in (*by_user.values(), *by_value.values()))


def test_what_is_said_and_that_operations_and_ended_users_are_apart() -> None:
    kept = Ownership()
    assert kept.problem_of("ann", answered({"id": 1, "of": {"mail": "a@x"}}), "$.id", "$.of.mail") == ""
    assert kept.problem_of("ben", answered({"id": 2, "of": {"mail": "a@x"}}), "$.id", "$.of.mail") == (
        "$.of.mail is another user's: 'a@x'"
    )
    assert kept.problem_of("ann", answered({"id": 3}), "$.id") == "$.id is 3, and was another value before"
    assert kept.problem_of("ann", answered({}), "$.id") == "$.id is missing"
    assert kept.problem_of("ben", answered({"id": 1}, "GET /club"), "$.id") == ""
    kept.forget("ann")
    kept.forget("nobody")
    assert kept.problem_of("cid", answered({"id": 1}), "$.id") == ""


SCENARIO = """\
from dbz.users import HttpUser, constant, task

class Member(HttpUser):
    wait_time = constant(0.05)

    @task
    def me(self):
        with self.client.get("/me", headers={"X-User": str(self.seat)}, catch_response=True) as answer:
            self.check(answer, own="$.id")
"""


class _CachingHandler(BaseHTTPRequestHandler):
    """Answers who one is; a request in ten with what was answered to the one before, as if from a cache."""

    protocol_version = "HTTP/1.1"
    asked = 0
    cached = b"{}"

    def do_GET(self) -> None:
        kind = type(self)
        kind.asked += 1
        if kind.asked % 10 or kind.asked < 20:
            kind.cached = json.dumps({"id": self.headers["X-User"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(kind.cached)))
        self.end_headers()
        self.wfile.write(kind.cached)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_load_whose_cache_takes_one_user_for_another_fails(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCENARIO)
    with ThreadingHTTPServer(("127.0.0.1", 0), _CachingHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        options = ["--target", url, "--users", "3", "--duration", "2s", "--warmup", "1s", "--no-live"]
        done = dbz("load", "mine.py", *options, cwd=tmp_path)
        server.shutdown()
    assert done.returncode == ExitCode.BROKEN, done.stderr
    assert any("$.id is another user's" in one["error"] for one in newest_run(tmp_path)["errors"])
