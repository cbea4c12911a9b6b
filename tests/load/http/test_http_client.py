"""The HTTP client against servers that behave, and against servers that do not."""

import gc
import gzip
import socket
import threading
import time
import zlib

import gevent
import pytest

from dbz.load.generator.http.answer.reader import ResponseReader
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, read_request, response, routed, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")


def test_a_connection_is_kept_and_used_again():
    with serving(always(response(b"one"), response(b"two"))) as server:
        client, ledger = client_of(server.url)
        assert [client.get("/a").text, client.get("/b?x=1").text] == ["one", "two"]
        assert server.connections == 1
        assert ledger.rows == [("GET /a", ""), ("GET /b", "")]
        client.close()


def test_closed_connections_wait_for_no_garbage_collector():
    """A run of hours collects rarely; what closes must be gone by itself."""

    def talk(connection: socket.socket) -> None:
        number = len(read_request(connection))
        connection.sendall(response(b"x", f"X-Unlike: {number}", "Connection: close"))

    with serving(talk) as server:
        client, _ = client_of(server.url)
        client.get("/")
        gc.collect()
        gc.disable()
        try:
            readers = count_of(ResponseReader)
            for number in range(10):
                client.get("/" + "x" * number)
            assert server.connections > 10
            assert count_of(ResponseReader) <= readers
        finally:
            gc.enable()
        client.close()


def count_of(kind: type) -> int:
    """How many objects of a class are alive."""
    return sum(type(one) is kind for one in gc.get_objects())


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


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", False),
    ],
)
def test_a_connection_is_kept_when_its_server_says_so(answer, kept):
    with serving(always(answer, answer, answer)) as server:
        client, ledger = client_of(server.url)
        assert [client.get("/").text for _ in range(3)] == ["abc"] * 3
        client.close()
        assert server.connections == (1 if kept else 3)
        assert [error for _, error in ledger.rows] == ["", "", ""]


def test_trailers_are_read_and_left_out():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    with serving(always(chunked, chunked)) as server:
        client, _ = client_of(server.url)
        assert [client.get("/").text for _ in range(2)] == ["abc", "abc"]
        assert "x-sum" not in client.get("/").headers
        client.close()


def test_a_known_head_is_only_known_byte_by_byte():
    """Answers that differ in one header field only are told apart, in any order."""
    pages = {path: response(path.encode(), f"X-Page: {path}", f"X-Pad: {'x' * 100}") for path in ("/a", "/b", "/c")}
    with serving(routed(pages)) as server:
        client, _ = client_of(server.url)
        for path in ("/a", "/b", "/a", "/c", "/c", "/b"):
            answer = client.get(path)
            assert (answer.text, answer.headers["X-Page"]) == (path, path)
        client.close()


def test_a_head_that_get_made_known_means_no_body_for_head():
    whole = response(b"the body")
    head = whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with serving(always(whole, head, whole)) as server:
        client, ledger = client_of(server.url)
        assert [client.get("/").text, client.head("/").text, client.get("/").text] == ["the body", "", "the body"]
        client.close()
        assert server.connections == 1
        assert [error for _, error in ledger.rows] == ["", "", ""]


def test_a_known_head_with_a_body_that_arrives_in_pieces():
    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            whole = response(b"x" * 500_000)
            for start in range(0, len(whole), 100_000):
                connection.sendall(whole[start : start + 100_000])
                time.sleep(0.005)

    with serving(talk) as server:
        client, _ = client_of(server.url)
        assert [len(client.get("/").content) for _ in range(3)] == [500_000] * 3
        client.close()


def test_a_request_is_repeated_once_and_no_more():
    requests = []

    def talk(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        if len(requests) == 1:
            connection.sendall(response(b"ok"))
            requests.append(read_request(connection))

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        client.get("/")
        assert len(requests) == 3
        assert ledger.rows[1][1] == "ConnectionLost: closed without an answer"
