"""The Socket.IO client against servers that refuse, restart, fall silent or send what they must not."""

import base64
import hashlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest

from dbz.children import free_port
from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.record.recorder import written
from tests.load.raw_server import always, read_request, response, serving
from tests.load.socketio_servers import NODE, PYTHON, Member, member_of, open_descriptors, sweeping, until
from tests.load.socketio_servers import serving as socketio_serving
from tests.load.websocket.test_websocket_frames import server_frame

TEXT, BINARY, CLOSE = 1, 2, 8
HANDSHAKE = b'0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
OPENED = server_frame(TEXT, HANDSHAKE)
CONNECTED = server_frame(TEXT, b'40{"sid":"n"}')
ASKED = b""
"""Stands for waiting until the client has asked for the namespace."""
PLACEHOLDER = b'["e",{"_placeholder":true,"num":0}]'


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """What a generator process has running."""
    with sweeping():
        yield


def accepted(request: bytes, extensions: str = "") -> bytes:
    """The answer that opens a WebSocket."""
    key = next(line[18:].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}", *([extensions] if extensions else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def saying(*parts: bytes, then: str = "listen", extensions: str = "") -> Callable[[socket.socket], None]:
    """Open the WebSocket, send these bytes, then listen until the client goes, or hang up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(accepted(read_request(connection), extensions))
        for part in parts:
            connection.recv(65536) if part is ASKED else connection.sendall(part)
        while then == "listen" and connection.recv(65536):
            continue

    return talk


@contextmanager
def failing(
    talk: Callable[[socket.socket], None], tmp_path, connect_timeout_s: float = 20.0, **options
) -> Iterator[Member]:
    """A member that tried once to connect to a raw server; afterwards no descriptor of it is left."""
    before = open_descriptors()
    with (
        serving(talk) as server,
        member_of(server.url, tmp_path, connect_timeout_s=connect_timeout_s, **options) as one,
    ):
        one.listen("e")
        try:
            one.client.connect(attempts=1)
        except TransportError as error:
            one.events.append(("refused", str(error)))
        yield one
    until(lambda: open_descriptors() <= before, "descriptors to be closed")


REFUSALS = {
    "HTTP 403": (always(response(b"members only", status="403 Forbidden")), "HandshakeRefused: HTTP 403 members only"),
    "no upgrade": (always(response(b"{}")), "HandshakeRefused: HTTP 200"),
    "wrong key": (
        always(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
        "HandshakeRefused: the server's Sec-WebSocket-Accept is wrong",
    ),
    "an extension of its own": (
        saying(extensions="Sec-WebSocket-Extensions: x-surprise"),
        "HandshakeRefused: an extension that was not offered",
    ),
    "garbage for HTTP": (always(b"\x00\x01\x02\r\n\r\n"), "MalformedResponse"),
    "nothing at all": (always(b""), "ConnectionLost"),
    "silence": (lambda connection: connection.recv(1) and time.sleep(1), "ReadTimeout"),
    "silence after the upgrade": (saying(), "ReadTimeout: the server did not open the connection"),
    "no namespace": (saying(OPENED), "ReadTimeout: the server did not open the namespace"),
    "a handshake without times": (saying(server_frame(TEXT, b'0{"sid":"s"}')), "MalformedPacket"),
    "a handshake that is no object": (saying(server_frame(TEXT, b"0[]")), "MalformedPacket"),
    "a hangup after the upgrade": (saying(then="hang up"), "ConnectionLost"),
    "a refusal": (saying(OPENED, server_frame(TEXT, b'44{"message":"full"}')), "Refused: full"),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refused_connection_is_an_error_with_a_clear_name(how, tmp_path):
    talk, name = REFUSALS[how]
    with failing(talk, tmp_path, 0.4 if name.startswith("ReadTimeout") else 20.0) as one:
        assert not one.client.connected
        assert one.failures() == {("connect", "socket"): 1}
        assert one.errors()["connect", "socket"].startswith(name)
        ((event, text),) = one.events
        assert (event, written(text)) == ("refused", one.errors()["connect", "socket"])


POLLING_REFUSALS = {
    "HTTP 400": (always(response(b'{"code":0}', status="400 Bad Request")), 'HandshakeRefused: HTTP 400 {"code":0}'),
    "a page": (always(response(b"<html>")), "MalformedPacket"),
    "nothing at all": (always(b""), "ConnectionLost"),
    "an error later": (always(response(HANDSHAKE), *[response(b"?", status="500 Oops")] * 2), "HandshakeRefused"),
    "no base64": (always(response(HANDSHAKE + b"\x1eb!!")), "MalformedPacket"),
}


@pytest.mark.parametrize("how", POLLING_REFUSALS)
def test_a_refused_polling_connection_is_an_error_with_a_clear_name(how, tmp_path):
    talk, name = POLLING_REFUSALS[how]
    with failing(talk, tmp_path, transports=("polling",)) as one:
        assert one.errors()["connect", "socket"].startswith(name)


FAULTS = {
    "garbage": (b"\xff\xff\xff\xff", "MalformedFrame"),
    "a masked frame": (b"\x81\x85aaaahello", "MalformedFrame"),
    "a compressed frame": (b"\xc1\x02hi", "MalformedFrame"),
    "an oversize frame": (b"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00", "MessageTooLarge"),
    "an unknown packet": (server_frame(TEXT, b"9"), "MalformedPacket"),
    "an empty packet": (server_frame(TEXT, b""), "MalformedPacket"),
    "an unknown kind": (server_frame(TEXT, b"49"), "MalformedPacket"),
    "an event that is no list": (server_frame(TEXT, b'42{"a":1}'), "MalformedPacket"),
    "an event without a name": (server_frame(TEXT, b"42[]"), "MalformedPacket"),
    "broken JSON": (server_frame(TEXT, b'42["e"'), "MalformedPacket"),
    "bytes that are no text": (server_frame(TEXT, b'42["\xff\xfe"]'), "MalformedPacket"),
    "a binary message of nothing": (server_frame(BINARY, b"x"), "MalformedPacket"),
    "text where an attachment should be": (server_frame(TEXT, b"451-" + PLACEHOLDER) * 2, "MalformedPacket"),
    "a placeholder too many": (
        server_frame(TEXT, b'451-["e",{"_placeholder":true,"num":7}]') + server_frame(BINARY, b"x"),
        "MalformedPacket",
    ),
    "endless attachments": (server_frame(TEXT, b'459999-["e"]'), "MalformedPacket"),
    "a close frame": (server_frame(CLOSE, b"\x03\xe9bye"), "ConnectionLost: closed by the server with code 1001: bye"),
    "a close packet": (server_frame(TEXT, b"1"), "Disconnected"),
}


@pytest.mark.parametrize("how", FAULTS)
def test_what_no_server_may_send_ends_the_connection_with_a_clear_name(how, tmp_path):
    fault, name = FAULTS[how]
    with failing(saying(OPENED, ASKED, CONNECTED, fault), tmp_path) as one:
        until(lambda: one.errors(), "the error")
        assert one.errors()["connect", "socket"].startswith(name)
        assert one.successes() == {("connect", "socket"): 1}


def test_the_reason_is_known_also_when_the_connection_is_lost_before_it_was_used(tmp_path):
    with failing(saying(OPENED + server_frame(TEXT, b"nonsense")), tmp_path) as one:
        assert one.errors() == {("connect", "socket"): "MalformedPacket: 'nonsense'"}


def test_a_server_that_hangs_up_within_a_binary_event_delivers_nothing_of_it(tmp_path):
    half = server_frame(TEXT, b"452-" + PLACEHOLDER) + server_frame(BINARY, b"one") + server_frame(BINARY, b"two")[:3]
    with failing(saying(OPENED, ASKED, CONNECTED, half, then="hang up"), tmp_path) as one:
        until(lambda: one.errors(), "the error")
        assert one.errors() == {("connect", "socket"): "ConnectionLost: closed by the server"}
        assert one.events == []


def test_who_waits_for_an_acknowledgement_learns_that_the_connection_is_lost(tmp_path):
    def talk(connection: socket.socket) -> None:
        saying(OPENED, ASKED, CONNECTED, then="hang up")(connection)
        connection.recv(65536)  # the event

    with failing(talk, tmp_path) as one:
        assert one.client.call("anyone") is None
        assert one.failures() == {("ack", "anyone"): 1, ("connect", "socket"): 1}
        assert one.errors()["ack", "anyone"] == "ConnectionLost: closed by the server"


@pytest.mark.parametrize("kind", [PYTHON, NODE])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_server_that_stops_pinging_is_lost_and_found_again(tmp_path, kind, transport):
    times = {"pingInterval": 1000, "pingTimeout": 800}  # python-engineio announces whole seconds only
    with (
        socketio_serving(kind, tmp_path / "log", **times) as (url, server),
        member_of(url, tmp_path, transports=(transport,), connect_timeout_s=3.0) as one,
    ):
        one.client.connect()
        gevent.sleep(1.6)
        assert one.client.connected, "pings are answered"
        server.interrupt(signal.SIGSTOP)
        until(lambda: one.errors(), "the silence to be noticed")
        server.interrupt(signal.SIGCONT)
        assert one.errors()["connect", "socket"] == "ConnectionLost: no ping for 1.8 s"
        until(lambda: one.client.connected, "the reconnect")
        assert one.client.call("echo", 1) == [1]


@pytest.mark.parametrize("kind", [PYTHON, NODE])
def test_a_restart_is_survived_by_all_members_and_what_was_on_its_way_is_lost(tmp_path, kind):
    port, before = free_port(), open_descriptors()
    with member_of(f"http://127.0.0.1:{port}", tmp_path) as one:
        deliveries = DeliveryLedger(one.recorder, deadline_s=0.2)
        joined = []
        one.client.on_connected = lambda: joined.append(one.client.call("echo", "in"))
        with socketio_serving(kind, tmp_path / "log", port):
            one.client.connect()
            deliveries.join("chat", "room", 1)
        until(lambda: not one.client.connected, "the loss")
        deliveries.sent("chat", "room", "m", "somebody")
        gevent.sleep(0.25)
        with socketio_serving(kind, tmp_path / "log", port):
            until(lambda: len(joined) == 2, "the reconnect")
        deliveries.expire()
        assert joined == [["in"], ["in"]]
        assert deliveries.take_counts()["chat"] == [1, 1, 0, 1, 0, 0]
        assert one.failures()["delivery", "chat"] == 1
        assert one.errors()["delivery", "chat"] == "not delivered within 0.2 s"
        assert ("delivery", "chat") not in one.successes()
    until(lambda: open_descriptors() <= before + 1, "descriptors to be closed")


def test_attempts_that_fail_are_all_recorded_and_the_last_one_is_raised(tmp_path):
    with member_of(f"http://127.0.0.1:{free_port()}", tmp_path) as one:
        with pytest.raises(TransportError, match="ConnectFailed"):
            one.client.connect(attempts=2)
        assert one.failures() == {("connect", "socket"): 2}


def test_a_server_that_does_not_read_is_given_up_before_memory_is(tmp_path):
    stop = []

    def talk(connection: socket.socket) -> None:
        saying(OPENED, ASKED, CONNECTED, then="hang up")(connection)
        while not stop:
            time.sleep(0.02)

    with failing(talk, tmp_path) as one:
        sent = 0
        while one.client.emit("chunk", "x" * 900_000) and sent < 100:
            sent += 1
        stop.append(True)
        assert sent < 100
        assert one.errors()["other", "emit chunk"] == "ConnectionLost: the server does not read"
