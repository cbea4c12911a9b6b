"""`dbz record`: a proxy lets everything pass as it is, and what passed is a HAR and a scenario that does the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.files.opening import read_file
from dbz.bring.proxy.rewriting import moved, plain_cookie, to_client, to_server
from dbz.bring.sockets import socket_sessions
from dbz.cli.scenario.record import record
from dbz.errors import ExitCode, UsageError
from tests.bring.apps import node_app
from tests.bring.raw_app import raw_app
from tests.bring.recorders import recording
from tests.cli.running import dbz
from tests.load.socketio_servers import NODE_FOLDER

TARGET, OWN = "http://127.0.0.1:3000", "http://localhost:4000"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with node_app(tmp_path_factory.mktemp("app") / "log") as url:
        yield url


def answer_of(url: str, method: str, path: str, **options: Any) -> tuple[Any, ...]:
    """Everything of an answer that a proxy must not change, with the address that it was asked at taken out."""
    options = {key: value() if callable(value) else value for key, value in options.items()}
    with requests.request(method, url + path, allow_redirects=False, timeout=10, **options) as answer:
        own = ("date", "server", "transfer-encoding", "connection")
        fields = sorted((name.lower(), value) for name, value in answer.raw.headers.items() if name.lower() not in own)
        said = [(name, ADDRESS.sub("ADDRESS", value)) for name, value in fields if name != "content-length"]
        return answer.status_code, answer.reason, said, ADDRESS.sub("ADDRESS", answer.content.decode("latin-1"))


ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
ECHOED = {"X-One": "1", "Accept-Encoding": "gzip", "Accept": "x/y"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/echo/a%2Fb/%E2%82%AC?q=a+b&q=%26&empty=", {"headers": ECHOED}),
    ("GET", "/gzip", {}),
    ("GET", "/binary", {}),
    ("HEAD", "/gzip", {}),
    ("GET", "/unmodified", {}),
    ("GET", "/empty", {}),
    ("GET", "/nothing", {}),
    ("GET", "/away", {}),
    ("GET", "/elsewhere", {}),
    ("GET", "/big", {}),
    ("OPTIONS", "/echo", {"headers": ECHOED}),
    ("POST", "/any", {"json": {"name": "ä", "password": "s3cret-1"}}),
    ("POST", "/any", {"data": {"a": "1", "b": ["2", "3"]}}),
    ("POST", "/any", {"files": {"file": ("x.bin", b"\0\1")}, "data": {"note": "n"}}),
    ("PUT", "/any", {"data": lambda: iter([b"part one, ", b"part two"])}),
    ("POST", "/any", {}),
    ("GET", "/stream", {}),
]  # fmt: skip


def test_requests_and_answers_pass_as_they_are_and_become_a_har_and_a_scenario(tmp_path: Path) -> None:
    with raw_app() as (target, went_on), recording(target, tmp_path, "-o", "odd.har") as recorder:
        (url,) = recorder.urls
        with requests.get(f"{url}/stream", stream=True, timeout=10) as answer:
            assert next(answer.iter_content(9)) == b"data: 0\n\n" and not went_on.is_set()
            went_on.set()
        for method, path, options in CALLS:
            direct, through = (answer_of(one, method, path, **options) for one in (target, url))
            assert through[:2] == direct[:2], (method, path)
            if "files" not in options:  # their boundary is another one each time
                assert through == direct, (method, path)
        cookies = requests.get(f"{url}/cookie", timeout=10).raw.headers.getlist("Set-Cookie")
        assert cookies == ["a=1; HttpOnly", "b=2"]
    assert recorder.code == ExitCode.OK, recorder.output
    har = tmp_path / "odd.har"
    assert har.stat().st_mode & 0o777 == 0o600
    document = json.loads(har.read_text())
    passed = {
        (one["request"]["method"], one["request"]["url"].removeprefix(target)): one
        for one in document["log"]["entries"]
    }
    assert set(passed) >= {(method, path) for method, path, _ in CALLS}
    assert passed["GET", "/gzip"]["response"]["content"]["text"] == '{"packed": true}'
    assert passed["GET", "/away"]["response"]["redirectURL"].startswith(target)
    assert "text" not in passed["GET", "/big"]["response"]["content"] and "too large" in recorder.output
    exchanges = read_file(har).exchanges
    multipart = [one.body.value for one in exchanges if one.body.kind == "multipart"]
    assert multipart and sorted(multipart[0]) == [("file", "x.bin"), ("note", "n")]
    scenario = (tmp_path / "odd.py").read_text()
    compile(scenario, "odd.py", "exec")
    assert "s3cret-1" not in scenario and 'secret("PASSWORD")' in scenario


def test_the_client_of_node_connects_over_polling_and_websocket_and_its_events_are_recorded(
    app: str, tmp_path: Path
) -> None:
    with recording(app, tmp_path, users=2) as recorder:
        for url, transport in zip(recorder.urls, ("polling", "websocket"), strict=True):
            done = subprocess.run(
                ["node", "visitor.mjs", url, transport],
                cwd=NODE_FOLDER, capture_output=True, text=True, timeout=30,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == ["log in first", transport, {"entered": "r1"}, {"ok": True}]
    assert recorder.code == ExitCode.OK, recorder.output
    for number, transport in enumerate(("polling", "websocket"), 1):
        sessions = socket_sessions(read_file(tmp_path / f"session-{number}.har"))
        events = [event for session in sessions for event in session.events if event.sent]
        assert [event.name for event in events] == ["enter", "say"]
        assert events[1].arguments[0]["raw"] == b"\x01\x02" and events[1].answer == ({"ok": True},)
        assert events[1].arguments[0]["id"] == f"id-{transport}"


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.har").write_text("mine")
    away = dbz("record", "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert away.returncode == ExitCode.UNREACHABLE and "cannot reach" in away.stderr
    with raw_app() as (target, _):
        taken = dbz("record", "--target", target, "-o", "mine.har", cwd=tmp_path)
        busy = dbz("record", "--target", target, "--port", target.rpartition(":")[2], cwd=tmp_path)
        with recording(target, tmp_path) as recorder:
            pass
    assert taken.returncode == ExitCode.USAGE and "there already" in taken.stderr
    assert busy.returncode == ExitCode.UNREACHABLE and "cannot listen" in busy.stderr
    assert recorder.code == ExitCode.USAGE and "nothing passed" in recorder.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.har"]


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("http://127.0.0.1:3000/a?b#c", f"{OWN}/a?b#c"),
        ("http://localhost:3000", OWN),
        ("//127.0.0.1:3000/x", f"{OWN}/x"),
        ("HTTP://127.0.0.1:3000/x", f"{OWN}/x"),
        ("http://127.0.0.1:3001/x", "http://127.0.0.1:3001/x"),
        ("https://127.0.0.1:3000/x", "https://127.0.0.1:3000/x"),
        ("http://127.0.0.1:30000/", "http://127.0.0.1:30000/"),
        ("/x", "/x"),
        ("null", "null"),
        ("*", "*"),
        ("http://[::1/x", "http://[::1/x"),
    ],
)
def test_urls_of_the_server_move_to_the_proxy_and_no_others(url: str, there: str) -> None:
    assert moved(url, TARGET, OWN) == there


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Host", "Origin", "Referer", "Cookie", "X-A", "Connection", "Upgrade"]),
            st.text(max_size=30),
        )
    )
)
def test_fields_that_are_no_business_of_a_proxy_stay_in_their_order(fields: list[tuple[str, str]]) -> None:
    named = {part.strip().lower() for name, value in fields if name == "Connection" for part in value.split(",")}
    kept = [(name, value) for name, value in fields if name in ("X-A", "Cookie") and name.lower() not in named]
    for changed in (to_server(fields, OWN, TARGET), to_client(fields, OWN, TARGET)):
        assert [(name, value) for name, value in changed if name in ("X-A", "Cookie")] == kept
        assert not {"Connection", "Upgrade"} & {name for name, _ in changed}


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        ("a=1; Path=/; Domain=x.example; Secure; SameSite=None; Max-Age=3", "a=1; Path=/; Max-Age=3"),
        ("a=secure; domain=y;SameSite=Lax", "a=secure;SameSite=Lax"),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/"),
    ],
)
def test_cookies_are_kept_by_a_client_that_speaks_plain_http_to_another_name(field: str, plain: str) -> None:
    assert plain_cookie(field) == plain


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="no file that could be replaced"):
        record(target="http://127.0.0.1:9", out=pipe, scenario=None, port=0, users=1, force=True)
    assert pipe.is_fifo()
