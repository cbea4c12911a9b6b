"""WebSockets with a protocol of the server's own: recorded from real servers, played again, whatever they hold."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from dbz.bring.files.har import read_har
from dbz.bring.messages import MessageKind, kind_of
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.cli.main import run
from dbz.errors import ExitCode, UsageError
from tests.bring.material import entry, har
from tests.bring.recorders import recording
from tests.load.socketio_servers import NODE, PYTHON
from tests.load.websocket_servers import websocket_server

SOCKET = "ws://127.0.0.1:8080/live"


def socket(*messages: tuple[float, str, Any], url: str = SOCKET, page: str = "1", at_s: float = 0.0) -> dict[str, Any]:
    """A WebSocket of a HAR: when, `send` or `receive`, and a text, bytes, or a JSON tree."""
    first = entry("GET", url, "", at_s=at_s, status=101)
    listed = [
        {"time": 1769860800.0 + at, "type": kind, "opcode": 2 if isinstance(data, bytes) else 1, "data": _written(data)}
        for at, kind, data in messages
    ]
    return {**first, "pageref": page, "_webSocketMessages": listed}


def _written(data: Any) -> str:
    if isinstance(data, bytes):
        return base64.b64encode(data).decode()
    return data if isinstance(data, str) else json.dumps(data)


def text_of(*entries: dict[str, Any]) -> str:
    """The scenario of one recording whose pages are users; it is valid Python."""
    text = scenario_text(script_of(read_har(har(*entries, creator="Playwright"), "s.har")), "A session.")
    compile(text, "scenario", "exec")
    return text


def say(client: ClientConnection, **message: Any) -> None:
    client.send(json.dumps(message))


def talk(url: str, other: str) -> None:
    """Two people at a server of a protocol of its own: one says something, asks, and sends what is no JSON."""
    with (
        connect(f"{url.replace('http', 'ws')}/live?team=red") as ann,
        connect(f"{other.replace('http', 'ws')}/live?team=red") as ben,
    ):
        assert json.loads(ann.recv(5))["is"] == json.loads(ben.recv(5))["is"] == "welcome"
        for number in range(2):
            say(ann, do="say", room="lobby", key=f"key-{number}")
            assert json.loads(ann.recv(5)) == json.loads(ben.recv(5))
            say(ann, do="ask", id=17 + number)
            assert json.loads(ann.recv(5)) == {"is": "answer", "to": 17 + number}
        ben.send("no JSON")
        assert ben.recv(5) == "no JSON"
        ben.send(b"\x00\xff")
        assert ben.recv(5) == b"\x00\xff"


@pytest.mark.parametrize("kind", [PYTHON, NODE])
def test_what_two_clients_of_a_real_server_said_is_recorded_and_played_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with websocket_server(kind, tmp_path / "log") as url:
        with recording(url, tmp_path, users=2) as recorder:
            talk(*recorder.urls)
        assert recorder.code == ExitCode.OK, recorder.output
        monkeypatch.chdir(tmp_path)
        files = ["session-1.har", "session-2.har"]
        code = run(["import", *files, "-o", "talk.py", "--target", url, "--check"])
    said = capsys.readouterr()
    text = (tmp_path / "talk.py").read_text()
    assert code in (None, ExitCode.OK), said.out + text
    assert "events 16 of 16" in said.out and "payload shapes 16 of 16" in said.out, said.out
    assert 'WebSocketOptions(path="/live", query={"team": "red"})' in text
    assert text.count('self.deliveries.sent("said", "", key, self.seat)') == 2
    assert text.count('self.deliveries.join("said", "", self.seat)') == 2
    assert 'self.socket.request({"do": "ask", "id": 17}, {"$.is": "answer", "$.to": 17}, name="ask")' in text
    assert 'self.socket.request("no JSON", lambda message: isinstance(message, str), name="text")' in text
    assert r"self.socket.request(b'\x00\xff', lambda message: isinstance(message, bytes)," in text


def test_a_token_of_an_answer_an_id_of_a_message_and_a_room_are_those_of_the_run() -> None:
    text = text_of(
        {**entry("POST", "/login", {"token": "tok-12345678"}, sent={"password": "hunter22"}), "pageref": "1"},
        socket(
            (2, "receive", {"type": "hello", "session_id": "s-4711-ab"}),
            (3, "send", {"type": "join", "room": "r-0815", "session_id": "s-4711-ab"}),
            (3.1, "receive", {"type": "joined", "room": "r-0815"}),
            (5, "send", {"type": "make", "ref": 1}),
            (5.1, "receive", {"type": "made", "ref": 1, "note_id": "note-123456"}),
            (9, "send", {"type": "read", "ref": 2, "note_id": "note-123456"}),
            (9.1, "receive", {"type": "made", "ref": 2}),
            url=f"{SOCKET}/?token=tok-12345678", at_s=1,
        ),
    )  # fmt: skip
    assert 'path="/live/", query={"token": self.token}' in text
    waiting = text.index('self.wait_for("session_id")')
    assert waiting < text.index('{"type": "join", "room": "r-0815", "session_id": self.session_id}')
    assert 'if isinstance(message, dict) and message.get("type") == "hello":' in text
    assert 'self.session_id = message["session_id"]' in text
    assert "answer = self.socket.request(" in text and '{"type": "made", "$.ref": 1}' not in text
    assert '{"$.type": "made", "$.ref": 1}' in text and 'self.note_id = answer["note_id"]' in text
    assert '"note_id": self.note_id}' in text and "self.pause(2.8, 5.2)" in text
    assert "tok-12345678" not in text and "s-4711-ab" not in text


def test_messages_between_two_users_in_a_room_that_they_enter_are_measured() -> None:
    def tab(page: str, *said: tuple[float, str, Any]) -> dict[str, Any]:
        entering = {"op": "subscribe", "room": "lobby"}
        return socket((1, "send", entering), (1.1, "receive", {"op": "subscribed"}), *said, page=page)

    message = {"op": "say", "room": "lobby", "key": "k-1-abcdef", "text": "hello"}
    text = text_of(
        tab("1", (3, "send", message)),
        tab("2", (3.1, "receive", {"op": "said", "list": [{"room": "lobby", "key": "k-1-abcdef"}]})),
    )
    assert text.count('self.deliveries.join("said", "lobby", self.seat)') == 2
    assert 'self.deliveries.sent("said", "lobby", key, self.seat)' in text
    assert 'for part in message["list"]:' in text
    assert 'self.deliveries.received("said", part["room"], part["key"], self.seat)' in text
    assert 'self.deliveries.leave("said", "lobby", self.seat)' in text


def test_only_what_always_answers_is_awaited() -> None:
    text = text_of(
        socket(
            (1, "send", {"do": "move"}), (1.1, "receive", {"is": "moved"}), (2, "receive", {"is": "tick"}),
            (3, "send", {"do": "move"}), (3.1, "receive", {"is": "moved"}), (4, "receive", {"is": "tick"}),
            (5, "send", {"do": "wave"}), (6, "receive", {"is": "tick"}), (7, "send", {"do": "wave"}),
        )
    )  # fmt: skip
    assert text.count('self.socket.request({"do": "move"}, {"$.is": "moved"}, name="move")') == 2
    assert text.count('self.socket.send({"do": "wave"})') == 2


def test_a_second_socket_of_a_user_is_left_out_and_that_is_said() -> None:
    text = text_of(
        socket((1, "send", "a")), socket((2, "send", "b"), url="ws://127.0.0.1:8080/other"), socket((3, "send", "c"))
    )
    assert "left out: /other (1)" in text and '"b"' not in text
    assert 'self.socket.send("a")' in text and 'self.socket.send("c")' in text


def test_a_socket_to_another_server_takes_no_place() -> None:
    reloading = socket((1, "receive", "changed"), url="ws://127.0.0.1:35729/livereload")
    text = text_of(entry("GET", "/a", {}), reloading, socket((2, "send", "a"), at_s=1))
    assert 'path="/live"' in text and 'self.socket.send("a")' in text and "left out" not in text


def test_a_socket_whose_messages_the_browser_did_not_keep_is_only_connected() -> None:
    text = text_of(socket(), entry("GET", "/a", {}, at_s=2))
    assert "WebSockets without messages in the file are only connected: /live" in text
    assert "self.socket.connect()" in text and "self.socket.send" not in text


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"type": "a", "event": "b"}, MessageKind("a", ("type",))),
        ({"event": "said", "data": {}}, MessageKind("said", ("event",))),
        ({"type": 7}, MessageKind("message")),
        ({"type": "8f14e45f-ceea-4671-a0a1-0123456789ab", "op": "go"}, MessageKind("go", ("op",))),
        (["1", "2", "room:lobby01", "phx_join", {}], MessageKind("phx_join", (3,))),
        ([1, 2], MessageKind("message")),
        ("PING", MessageKind("text")),
        (b"\0", MessageKind("binary")),
    ],
)
def test_what_a_message_is_its_own_word_says(message: Any, kind: MessageKind) -> None:
    assert kind_of(message) == kind


def test_long_binary_messages_are_zeros_and_damaged_ones_texts() -> None:
    text = text_of(socket((1, "send", b"\x07" * 5000), (2, "send", '{"cut": "o')))
    assert "self.socket.send(bytes(5000))" in text and 'self.socket.send(\'{"cut": "o\')' in text


def test_a_hundred_tabs_of_a_lively_room_are_read_in_a_moment() -> None:
    tabs = []
    for tab in range(100):
        own = [
            (number * 3 + tab / 50, "send", {"do": "say", "room": "r1", "key": f"k-{tab}-{number}"})
            for number in range(4)
        ]
        others = [
            (number * 3 + other / 50 + 0.1, "receive", {"is": "said", "room": "r1", "key": f"k-{other}-{number}"})
            for number in range(4)
            for other in range(100)
        ]
        tabs.append(socket(*sorted([*own, *others], key=lambda one: one[0]), page=str(tab)))
    began_s = time.monotonic()
    text = text_of(*tabs)
    assert text.count('self.deliveries.sent("said", "", key, self.seat)') == 400
    assert time.monotonic() - began_s < 60  # not a speed, only that it does not grow with the square of the tabs


DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["say", "k-1234567", "", "r1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "id", "room", "key", "token", "a b", "'\""]), inner, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = st.tuples(
    st.floats(0, 9),
    st.sampled_from(["send", "receive"]),
    DATA | st.text(max_size=9) | st.binary(max_size=9),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(MESSAGES, max_size=8), st.lists(MESSAGES, max_size=8), st.text(max_size=6))
def test_whatever_passed_over_sockets_becomes_a_scenario(one: list[Any], other: list[Any], path: str) -> None:
    try:
        text_of(entry("GET", "/a", {}), socket(*one), socket(*other, page="2", url=f"{SOCKET}/{path}"))
    except UsageError:
        return


def test_messages_that_are_nested_too_deeply_are_refused_or_texts() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        text_of(socket((1, "send", "[" * 500 + "]" * 500)))
    assert '"[[[[' in text_of(socket((1, "send", "[" * 100_000 + "]" * 100_000)))
    assert "[[[[0]]]]" in text_of(socket((1, "send", "[[[[0]]]]"), (2, "receive", "[" * 900 + "]" * 900)))
