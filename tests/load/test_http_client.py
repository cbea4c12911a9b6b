"""The HTTP client against servers that behave, and against servers that do not."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator

import gevent
import pytest

from dbz.load.generator import wire
from dbz.load.generator.http import HttpClient
from tests.load.raw_server import always, read_request, response, serving


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """The greenlet that ends waits whose deadline has passed, as in a generator process."""
    sweep = gevent.spawn(wire.sweep_deadlines)
    yield
    sweep.kill()


class Ledger:
    """What a client recorded: (operation, error), in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def __call__(self, answer, operation: str, elapsed_s: float) -> None:
        assert elapsed_s >= 0
        self.rows.append((operation, answer.error))


def client_of(url: str, **options) -> tuple[HttpClient, Ledger]:
    ledger = Ledger()
    return HttpClient(url, ledger, **options), ledger


def test_a_connection_is_kept_and_used_again():
    with serving(always(response(b"one"), response(b"two"))) as server:
        client, ledger = client_of(server.url)
        assert [client.get("/a").text, client.get("/b?x=1").text] == ["one", "two"]
        assert server.connections == 1
        assert ledger.rows == [("GET /a", ""), ("GET /b", "")]
        client.close()


def test_json_form_query_and_headers_arrive_as_written():
    seen = []

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(response(b"{}"))

    with serving(talk) as server:
        client, _ = client_of(server.url + "/base")
        client.post("/j", json={"a": 1}, headers={"X-One": "1"})
        client.post("/f", data={"a": "b c"})
        client.get("/q", params={"page": 2, "s": "ä&"})
        client.delete("/d")
        client.close()
    first, second, third, fourth = seen
    assert first.startswith(b"POST /base/j HTTP/1.1\r\n")
    assert b"X-One: 1\r\n" in first
    assert b"Content-Type: application/json" in first and first.endswith(b'{"a":1}')
    assert b"application/x-www-form-urlencoded" in second and second.endswith(b"a=b+c")
    assert third.startswith(b"GET /base/q?page=2&s=%C3%A4%26 HTTP/1.1")
    assert fourth.startswith(b"DELETE /base/d") and b"Content-Length" not in fourth


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_bodies_are_decompressed(encoding):
    body = gzip.compress(b"x" * 5000) if encoding == "gzip" else zlib.compress(b"x" * 5000)
    with serving(always(response(body, f"Content-Encoding: {encoding}"))) as server:
        client, _ = client_of(server.url)
        assert client.get("/").content == b"x" * 5000
        client.close()


def test_chunked_bodies_are_put_together():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with serving(always(chunked, response(b"next"))) as server:
        client, _ = client_of(server.url)
        assert client.get("/").text == "abcde"
        assert client.get("/").text == "next"
        assert server.connections == 1
        client.close()


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body_leave_the_connection_usable(method, answer):
    with serving(always(answer, response(b"next"))) as server:
        client, ledger = client_of(server.url)
        assert client.request(method, "/").content == b""
        assert client.get("/").text == "next"
        assert server.connections == 1
        assert [error for _, error in ledger.rows] == ["", ""]
        client.close()


def test_a_body_that_ends_with_the_connection_is_complete():
    with serving(always(b"HTTP/1.0 200 OK\r\n\r\nall of it")) as server:
        client, _ = client_of(server.url)
        assert client.get("/").text == "all of it"


def test_an_idle_connection_that_the_server_closed_is_replaced_without_an_error():
    with serving(always(response(b"only one"))) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        time.sleep(0.05)
        assert client.get("/").text == "only one"
        time.sleep(0.05)
        assert client.post("/", json={}).text == "only one"
        client.close()
        assert server.connections == 3
        assert [error for _, error in ledger.rows] == ["", "", ""]


def test_a_request_that_must_not_be_repeated_is_sent_once():
    requests = []

    def talk(connection: socket.socket) -> None:
        for number in range(2):
            requests.append(read_request(connection))
            if number == 0:
                connection.sendall(response(b"ok"))

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        client.post("/pay", json={})
        assert len(requests) == 2
        assert ledger.rows[1][1].startswith("ConnectionLost")


HOSTILE = {
    "closes without an answer": (always(b""), "ConnectionLost"),
    "closes mid-body": (always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "ConnectionLost"),
    "sends garbage": (always(b"\x00\x01garbage\r\n\r\n"), "MalformedResponse"),
    "announces 4 GB": (always(b"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\nx"), "BodyTooLarge"),
    "sends a gzip bomb": (always(response(gzip.compress(b"\0" * 3_000_000), "Content-Encoding: gzip")), "BodyTooLarge"),
    "lies about gzip": (always(response(b"not gzip", "Content-Encoding: gzip")), "MalformedResponse"),
    "sends a wrong chunk": (
        always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "MalformedResponse",
    ),
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


def test_statuses_from_400_fail_unless_the_scenario_judges_otherwise():
    with serving(always(*[response(b"no", status="404 Not Found")] * 3)) as server:
        client, ledger = client_of(server.url)
        client.get("/a")
        with client.get("/b", catch_response=True) as answer:
            answer.success()
        with client.get("/c", catch_response=True) as answer:
            answer.failure("because")
        assert ledger.rows == [("GET /a", "HTTP 404"), ("GET /b", ""), ("GET /c", "because")]
        client.close()


def test_an_exception_in_the_judging_block_is_a_failure_and_goes_on():
    with serving(always(response(b"[]"))) as server:
        client, ledger = client_of(server.url)
        with pytest.raises(ValueError, match="empty"), client.get("/", catch_response=True):
            raise ValueError("empty")
        assert ledger.rows == [("GET /", "ValueError: empty")]
        client.close()


def test_users_wait_for_their_answers_side_by_side():
    all_there = threading.Barrier(10)

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            all_there.wait(10)  # nobody is answered before everybody has asked
            connection.sendall(response(b"together"))

    with serving(talk) as server:
        clients = [client_of(server.url)[0] for _ in range(10)]
        asked = [gevent.spawn(client.get, "/") for client in clients]
        gevent.joinall(asked, timeout=10)
        assert [greenlet.value.text for greenlet in asked] == ["together"] * 10
        for client in clients:
            client.close()
