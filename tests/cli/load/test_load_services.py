"""A load on several services behind one URL: which is slow, which fails, and that only their budgets are broken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dbz.errors import ExitCode
from tests.cli.running import dbz

SCENARIO = """\
from dbz.users import HttpUser, task

class Visitor(HttpUser):
    @task
    def look(self):
        for path in ("/game", "/chat", "/lost"):
            self.client.get(path)
"""
PROFILE = """\
schema: dbz.profile/1
name: services
scenario: visits.py
users: 6
warmup: 0s
duration: 4s
budgets: budgets.yaml
service_header: X-Backend
"""
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: game_fast, of: 'http{service=game}', stat: p95, limit: '< 350ms'}
  - {name: chat_fast, of: 'http{service=chat, op="GET *"}', stat: p50, limit: '< 350ms'}
  - {name: chat_sound, of: 'errors{service=chat}', stat: error_rate, limit: '< 1%'}
  - {name: lost_sound, of: 'errors{service=lost}', stat: error_rate, limit: '< 1%'}
  - {name: others, of: 'http{service!=game}', stat: count, limit: '> 1'}
  - {name: misspelt, of: 'http{service=gane}', stat: p95, limit: '< 350ms'}
"""


_SLOW_S = 0.7
"""Twice the limit, and that is far from what a busy generator adds; what waits for a second at the end is a failure."""


class _Gateway(BaseHTTPRequestHandler):
    """Three services: one is slow, one quick, and one breaks off after its first answer."""

    protocol_version = "HTTP/1.1"
    answered = False
    looking = threading.Lock()

    def do_GET(self) -> None:
        service = self.path[1:]
        if service == "game":
            time.sleep(_SLOW_S)
        with self.looking:
            refused = service == "lost" and _Gateway.answered
            _Gateway.answered |= service == "lost"
        if refused:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("x-backend", service)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_the_slow_and_the_lost_service_break_their_budgets_alone(tmp_path):
    for name, text in (("visits.py", SCENARIO), ("load.yaml", PROFILE), ("budgets.yaml", BUDGETS)):
        (tmp_path / name).write_text(text)
    with gateway() as url:
        done = dbz("load", "load.yaml", "--target", url, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    (folder,) = (tmp_path / "reports").iterdir()
    run = json.loads((folder / "run.json").read_text())
    verdicts = {budget["name"]: budget["verdict"] for budget in run["budgets"]}
    broken = {name for name, verdict in verdicts.items() if verdict == "broken"}
    assert broken == {"game_fast", "lost_sound"}, run["budgets"]
    assert verdicts["misspelt"] == "not measured"
    notes = {budget["name"]: budget["note"] for budget in run["budgets"]}
    assert notes["misspelt"] == "no service is called gane; did you mean game?"
    services = {one["name"]: one for one in run["services"]}
    assert services.keys() == {"game", "chat", "lost"}
    assert services["lost"]["errors"] >= services["lost"]["count"] - 1, "no answer names it, and it is to blame"
    assert sum(one["count"] for one in services.values()) == sum(one["count"] for one in run["operations"])
    for text in ((folder / "report.html").read_text(), (folder / "summary.md").read_text(), done.stdout):
        assert "By service" in text
        assert "lost is the slowest: its p95 falls on failed requests" in text
