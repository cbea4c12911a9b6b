"""The HTTP client against servers that break the rules, break down, or mean harm."""

import gc
import gzip
import socket
import struct
import threading
import time
import tracemalloc

import brotli
import gevent
import psutil
import pytest
import zstandard

from dbz.load.generator.http.answer import reader
from dbz.load.generator.http.client import UNFINISHED_ERROR
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import Talk, always, read_request, response, routed, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def endless(beginning: bytes, piece: bytes) -> Talk:
    """Answer with something that never ends; the client has to go away."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(beginning)
        while True:
            connection.sendall(piece * (32_000 // len(piece)))

    return talk


def resets(connection: socket.socket) -> None:
    """End the connection with a reset in the middle of the answer."""
    read_request(connection)
    connection.sendall(OK + b"Content-Length: 100\r\n\r\nhalf")
    time.sleep(0.02)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HOSTILE: dict[str, tuple[Talk, str]] = {
    "closes without an answer": (always(b""), "ConnectionLost: closed without an answer"),
    "closes mid-head": (always(b"HTTP/1.1 200 O"), "ConnectionLost: closed before the answer was complete"),
    "closes mid-body": (
        always(OK + b"Content-Length: 100\r\n\r\nhalf"),
        "ConnectionLost: closed before the answer was complete",
    ),
    "closes mid-chunk": (always(CHUNKED + b"5\r\nhe"), "ConnectionLost: closed before the answer was complete"),
    "resets mid-body": (resets, "ConnectionLost: Connection reset by peer"),
    "sends garbage": (always(b"\x00\x01garbage\r\n\r\n"), "MalformedResponse"),
    "speaks another protocol": (always(b"220 mail.example ESMTP\r\n\r\n"), "MalformedResponse"),
    "sends a wrong status line": (always(b"HTTP/1.1 two hundred\r\n\r\n"), "MalformedResponse"),
    "sends two lengths": (always(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "MalformedResponse"),
    "sends a negative length": (always(OK + b"Content-Length: -1\r\n\r\nab"), "MalformedResponse"),
    "sends a wrong chunk": (always(CHUNKED + b"zz\r\n"), "MalformedResponse"),
    "lies about gzip": (always(response(b"not gzip", "Content-Encoding: gzip")), "MalformedResponse: the body is not"),
    "cuts off gzip": (
        always(response(gzip.compress(b"x" * 9999)[:-9], "Content-Encoding: gzip")),
        "MalformedResponse: the body is not gzip: it is cut off",
    ),
    "lies about br": (always(response(b"not br", "Content-Encoding: br")), "MalformedResponse: the body is not br"),
    "lies about zstd": (always(response(b"no zstd", "Content-Encoding: zstd")), "MalformedResponse: the body is not"),
    "answers twice at once": (always(response(b"one") + response(b"two")), "UnaskedResponse"),
    "answers one and a half times": (always(response(b"one") + b"HTTP/1.1 2"), "UnaskedResponse"),
    "adds garbage to its answer": (always(response(b"one") + b"\x00\x01"), "UnaskedResponse"),
    "announces 4 GB": (always(OK + b"Content-Length: 4294967296\r\n\r\nx"), "BodyTooLarge: 4,294,967,296 bytes"),
    "never ends its chunks": (endless(CHUNKED, b"5\r\nhello\r\n"), "BodyTooLarge"),
    "never ends its one-byte chunks": (endless(CHUNKED, b"1\r\nh\r\n"), "BodyTooLarge"),
    "never ends its body": (endless(OK + b"\r\n", b"x"), "BodyTooLarge"),
    "sends a gzip bomb": (always(response(gzip.compress(b"\0" * 3_000_000), "Content-Encoding: gzip")), "BodyTooLarge"),
    "sends a gzip bomb in a gzip bomb": (
        always(response(gzip.compress(gzip.compress(b"\0" * 3_000_000)), "Content-Encoding: gzip, gzip")),
        "BodyTooLarge",
    ),
    "sends a br bomb": (always(response(brotli.compress(b"\0" * 3_000_000), "Content-Encoding: br")), "BodyTooLarge"),
    "sends a zstd bomb": (
        always(response(zstandard.compress(b"\0" * 3_000_000), "Content-Encoding: zstd")),
        "BodyTooLarge",
    ),
    "never ends its headers": (endless(OK, b"X-More: of it\r\n"), "HeadersTooLarge"),
    "never ends one header": (endless(OK + b"X-More: ", b"x"), "HeadersTooLarge"),
    "never ends its interim answers": (endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "HeadersTooLarge"),
    "never ends a chunk's extension": (endless(CHUNKED + b"5;", b"x"), "HeadersTooLarge"),
    "never ends its trailers": (endless(CHUNKED + b"0\r\n", b"X-More: of it\r\n"), "HeadersTooLarge"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_server_gives_a_failure_with_a_clear_name(how):
    talk, name = HOSTILE[how]
    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.max_body_bytes = 1_000_000
        answer = client.get("/")
        assert not answer.ok
        assert ledger.rows == [("GET /", answer.error)]
        assert answer.error.startswith(name)


def test_a_server_that_never_answers_is_given_up_at_the_timeout():
    silent = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        silent.wait(10)

    with serving(talk) as server:
        client, ledger = client_of(server.url, timeout_s=0.3)
        client.get("/")
        silent.set()
        assert ledger.rows[0][1].startswith("ReadTimeout")


def test_a_server_that_dribbles_is_given_up_at_the_timeout_of_the_whole_request():
    stop = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            connection.sendall(b".")

    with serving(talk) as server:
        client, ledger = client_of(server.url, timeout_s=0.4)
        client.get("/")
        stop.set()
        assert ledger.rows[0][1].startswith("ReadTimeout")


def test_nobody_listening_and_unknown_names_have_their_own_errors():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client, ledger = client_of(f"http://127.0.0.1:{port}")
    client.get("/")
    client.get("http://no-such-host.invalid/", name="elsewhere")
    assert ledger.rows[0][1].startswith("ConnectFailed: Connection refused")
    assert ledger.rows[1] == ("GET elsewhere", "NameNotResolved: no-such-host.invalid")


def test_no_hostile_server_leaves_a_socket_open():
    before = open_sockets()
    for talk, _ in HOSTILE.values():
        with serving(talk) as server:
            client, _ = client_of(server.url)
            client.max_body_bytes = 100_000
            client.get("/")
            client.post("/", json={"a": 1})
            client.close()
    gc.collect()
    assert open_sockets() == before


def open_sockets() -> int:
    return sum(1 for one in psutil.Process().net_connections("tcp") if one.status != psutil.CONN_NONE)


def test_memory_stays_flat_over_many_answers_that_all_differ(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_KNOWN_HEADS", 64)

    def talk(connection: socket.socket) -> None:
        number = 0
        while read_request(connection):
            number += 1
            connection.sendall(response(b"x" * 2000, f"X-Request-Id: {number:09}", f"Set-Cookie: c{number}=1; Path=/n"))

    with serving(talk) as server:
        client, _ = client_of(server.url)
        client._record = lambda *_: None  # the ledger of this test would grow
        tracemalloc.start()
        try:
            growth = [memory_after(lambda: client.get("/"), 256) for _ in range(3)]
        finally:
            tracemalloc.stop()
        client.close()
    assert growth[2] - growth[1] < 30_000


def memory_after(action, times: int) -> int:
    for _ in range(times):
        action()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_second_answer_that_comes_later_is_never_taken_for_the_next_one():
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response(b"asked for"))
        time.sleep(0.05)
        connection.sendall(response(b"not asked for"))
        read_request(connection)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        gevent.sleep(0.2)
        assert client.get("/").text == "asked for"
        assert server.connections == 2
        assert [error for _, error in ledger.rows] == ["", ""]
        client.close()


def test_a_server_that_speaks_first_is_no_http_server():
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        read_request(connection)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        # Whether the greeting has arrived when the request is sent is up to the network.
        assert ledger.rows[0][1].startswith(("UnaskedResponse", "MalformedResponse"))


def test_timeouts_follow_each_other():
    """The sweep that ends one wait lives on to end the next."""
    silent = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        silent.wait(10)

    with serving(talk) as server:
        client, ledger = client_of(server.url, timeout_s=0.15)
        for _ in range(3):
            client.get("/")
        silent.set()
        assert [error for _, error in ledger.rows] == ["ReadTimeout"] * 3


def test_the_read_timeout_limits_each_wait_and_not_the_whole_answer():
    silent = threading.Event()

    def talk(connection: socket.socket) -> None:
        target = read_request(connection).split(b" ")[1]
        connection.sendall(OK + b"Content-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.25)
            connection.sendall(b".")
            if target == b"/stuck":
                silent.wait(10)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        assert client.get("/slow", timeout=(5, 1.8)).text == "." * 8
        client.get("/stuck", timeout=(5, 0.5))
        silent.set()
        assert ledger.rows == [("GET /slow", ""), ("GET /stuck", "ReadTimeout")]


def test_a_server_that_reads_nothing_ends_in_a_write_timeout():
    silent = threading.Event()
    with serving(lambda _: silent.wait(10)) as server:
        client, ledger = client_of(server.url)
        client.post("/", data=b"x" * 30_000_000, timeout=1.5)
        silent.set()
        assert ledger.rows == [("POST /", "WriteTimeout")]


def test_a_connection_that_nobody_accepts_ends_in_a_connect_timeout():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        client, ledger = client_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        client.get("/", timeout=(0.2, 5))
        for one in waiting:
            one.close()
        assert ledger.rows == [("GET /", "ConnectTimeout: 0.2 s")]


def test_the_deadline_covers_all_redirects_together():
    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            time.sleep(0.2)
            connection.sendall(response(b"", "Location: /again", status="302 Found"))

    with serving(talk) as server:
        client, ledger = client_of(server.url, timeout_s=0.5)
        client.get("/")
        assert ledger.rows == [("GET /", "ReadTimeout")]
        client.close()


def test_redirects_in_a_circle_end():
    with serving(routed({"/": response(b"", "Location: /", status="302 Found")})) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        assert ledger.rows == [("GET /", "TooManyRedirects: more than 10")]
        client.close()


def test_what_is_no_url_is_said_to_be_none():
    client, ledger = client_of("http://127.0.0.1:1")
    for url in ("ftp://127.0.0.1/", "http://", "http://127.0.0.1:port/", "http://[::1/", "http://127.0.0.1:70000/"):
        client.get(url, name=url)
    assert [error for _, error in ledger.rows] == [f"BadUrl: {operation[4:]}" for operation, _ in ledger.rows]


@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "text/plain"])
def test_an_event_stream_that_does_not_end_is_named_as_such(content_type):
    """When its time is over, and when its user is stopped."""
    begun = CHUNKED[:-2] + f"Content-Type: {content_type}\r\n\r\n9\r\ndata: 1\n\n\r\n".encode()

    def talk(connection: socket.socket) -> None:
        if b"/stream" in read_request(connection):
            connection.sendall(begun)
            connection.recv(1)

    with serving(talk) as server:
        client, ledger = client_of(server.url, timeout_s=0.5)
        client.get("/stream")
        user = gevent.spawn(client.get, "/stream")
        gevent.sleep(0.2)
        user.kill()
        client.get("/other")
        client.close()
    late, stopped, other = (error for _, error in ledger.rows)
    assert late.startswith("ReadTimeout") and stopped.startswith(UNFINISHED_ERROR) and other
    assert ["event stream" in error for error in (late, stopped, other)] == [content_type != "text/plain"] * 2 + [False]
