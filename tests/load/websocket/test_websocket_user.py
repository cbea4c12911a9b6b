"""Raw WebSockets against a Node `ws` server and a Python `websockets` server that speak a protocol of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest

from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.http.request.urls import split_url
from dbz.load.generator.net.faults import HandshakeRefused, TransportError
from dbz.load.generator.websocket.raw import RawSocket, WebSocketOptions
from tests.load.recorders import recorder_in
from tests.load.socketio_servers import NODE, PYTHON, sweeping, until
from tests.load.websocket_servers import websocket_server


@pytest.fixture(scope="module", params=[PYTHON, NODE])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with websocket_server(request.param, tmp_path_factory.mktemp(request.param) / "server.log") as address:
        yield address


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """What a generator process has running."""
    with sweeping():
        yield


class Member:
    """A raw socket with all that it was told."""

    def __init__(self, url: str, recorder: Any, cookies: CookieJar, **options: Any) -> None:
        self.recorder = recorder
        self.socket = RawSocket(url, recorder, WebSocketOptions(**options), lambda: cookies)
        self.messages: list[Any] = []
        self.closes: list[tuple[int, str]] = []
        self.connects = 0
        self.socket.on_message = self.messages.append
        self.socket.on_closed = lambda code, reason: self.closes.append((code, reason))
        self.socket.on_connected = self._count

    def _count(self) -> None:
        self.connects += 1

    def rows(self) -> dict[tuple[str, str], int]:
        """How many attempts succeeded, by kind and name."""
        return {key: sum(counts.values()) for key, counts in self.recorder._ok.items()}

    def errors(self) -> list[tuple[str, str, str]]:
        """Kind, name and text of what went wrong."""
        return list(self.recorder._errors)


@contextmanager
def member_of(url: str, folder: Path, **options: Any) -> Iterator[Member]:
    with recorder_in(folder) as recorder:
        cookies = CookieJar(split_url(url)[0])
        cookies.update({"session": "s1"})
        member = Member(url, recorder, cookies, **options)
        yield member
        member.socket.disconnect()
        gevent.sleep(0)


def test_a_server_that_takes_no_offered_subprotocol_is_not_connected_to(url: str, tmp_path: Path) -> None:
    with member_of(url, tmp_path, path="/live", subprotocols=("club.v0", "club.v1"), reconnect=False) as member:
        with pytest.raises(TransportError, match="none of the subprotocols"):
            member.socket.connect(attempts=1)
        assert [error[0] for error in member.errors()] == ["connect"]


def test_messages_answers_pings_and_codes(url: str, tmp_path: Path) -> None:
    options = {"headers": {"X-Team": "red"}, "query": {"club": "7"}, "subprotocols": ("club.v1", "club.v2")}
    with member_of(url, tmp_path, path="/live", **options) as member:
        socket = member.socket
        socket.connect()
        until(lambda: member.messages, "the welcome")
        assert member.messages.pop() == {
            "is": "welcome", "url": "/live?club=7", "team": "red", "cookie": "session=s1", "protocol": "club.v2"
        }  # fmt: skip
        slow = gevent.spawn(socket.request, {"do": "ask", "id": 1, "after_ms": 200}, {"$.to": 1}, name="ask")
        gevent.sleep(0)
        assert socket.request({"do": "ask", "id": 2}, lambda one: one["to"] == 2, name="ask") == {
            "is": "answer",
            "to": 2,
        }
        assert slow.get(timeout=10) == {"is": "answer", "to": 1}
        for given, back in (
            ("plain text ä🏸", "plain text ä🏸"),
            (b"\x00\xff" * 3000, b"\x00\xff" * 3000),
            ([1, {"a": None}], [1, {"a": None}]),
        ):
            assert socket.request(given, name="echo") == back
        assert socket.request("x", {"$.never": 1}, name="never", timeout_s=0.1) is None
        assert (socket.ping() or 0) > 0
        assert socket.request({"do": "ping_me"}, {"$.is": "ponged"}, name="pinged")["data"] == "are you there"
        assert member.rows() == {
            ("connect", "websocket"): 1, ("ack", "ask"): 2, ("ack", "echo"): 3, ("ack", "ping"): 1, ("ack", "pinged"): 1
        }  # fmt: skip
        assert member.errors() == [("ack", "never", "no such message within 0.1 s")]
        assert {"is": "answer", "to": 1} in member.messages  # who waits takes nothing from the handler
        socket.disconnect(3001, "good bye")
        assert not socket.send("too late") and not member.closes
        assert member.errors()[-1] == ("other", "send websocket", "ConnectionLost: not connected")
        socket.connect()
        assert socket.request({"do": "last_close"}, {"$.is": "closed"}, name="how")["how"] == [3001, "good bye"]


def test_who_is_closed_or_dropped_comes_back_and_it_is_a_failure(url: str, tmp_path: Path) -> None:
    with member_of(url, tmp_path) as member:
        member.socket.connect()
        waiting = gevent.spawn(member.socket.expect, {"$.is": "nothing"}, name="waited")
        gevent.sleep(0)
        member.socket.send({"do": "close", "code": 4001, "reason": "too many tabs"})
        until(lambda: member.connects == 2 and member.socket.connected, "coming back")
        assert waiting.get(timeout=5) is None
        member.socket.send({"do": "drop"})
        until(lambda: member.connects == 3 and member.socket.connected, "coming back again")
        assert member.closes == [(4001, "too many tabs"), (1006, "")]
        closed = "ConnectionLost: closed by the server with code 4001: too many tabs"
        errors = member.errors()
        assert errors[:2] == [("connect", "websocket", closed), ("ack", "waited", closed)] or errors[:2] == [
            ("ack", "waited", closed), ("connect", "websocket", closed)
        ]  # fmt: skip
        assert errors[2][:2] == ("connect", "websocket") and "ConnectionLost" in errors[2][2]
        assert member.rows()["connect", "websocket"] == 3


def test_a_close_that_may_be_is_no_failure_and_a_server_without_pongs_is_gone(url: str, tmp_path: Path) -> None:
    with member_of(
        url, tmp_path, may_close=frozenset({1000}), reconnect=False, ping_every_s=0.1, ping_timeout_s=0.9
    ) as member:
        member.socket.connect()
        member.socket.send({"do": "close", "code": 1000, "reason": "match over"})
        until(lambda: member.closes, "the close")
        assert member.closes == [(1000, "match over")] and not member.errors()
        member.socket.connect()
        until(lambda: member.rows().get(("ack", "ping"), 0) >= 2, "two pongs")
        member.socket.send({"do": "be_silent"})
        member.socket.expect(name="waited", timeout_s=30)
        until(lambda: len(member.closes) == 2, "the silence")
        lost = "ReadTimeout: no pong within 0.9 s"
        assert {("connect", "websocket", lost), ("ack", "waited", lost)} <= set(member.errors())
        assert not member.socket.connected and member.connects == 2


def test_what_is_not_agreed_on_is_refused_and_what_handlers_raise_is_counted(url: str, tmp_path: Path) -> None:
    with member_of(url, tmp_path, headers={"Sec-WebSocket-Version": "99"}) as member:
        with pytest.raises(HandshakeRefused):
            member.socket.connect(attempts=1)
        assert member.errors()[0][:2] == ("connect", "websocket")
    with member_of("http://127.0.0.1:9", tmp_path) as member, pytest.raises(TransportError):
        member.socket.connect(attempts=2)
    with member_of(url, tmp_path, messages="raw") as member:
        member.socket.on_message = lambda message: json.loads(message)["none"]
        member.socket.connect("/other")
        until(member.errors, "the handler's error")
        kind, name, text = member.errors()[0]
        assert (
            (kind, name) == ("task", "on_message of websocket") and "KeyError" in text and "test_websocket_user" in text
        )
        assert json.loads(member.socket.request('{"a": 1}', lambda one: "a" in one, name="raw")) == {"a": 1}
        with pytest.raises(ValueError, match="is no JSONPath"):
            member.socket.expect({"a": 1}, name="wrong")
