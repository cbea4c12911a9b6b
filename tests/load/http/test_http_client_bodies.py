"""Bodies: codings, asking before sending, and asking whether one has changed."""

import gzip
import socket
import time
import zlib

import brotli
import pytest
import zstandard

from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, read_request, response, routed, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")

PLAIN = b"Anyone for a game? " * 500
RAW_DEFLATE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN[:100]) + gzip.compress(PLAIN[100:]),
    "deflate": zlib.compress(PLAIN),
    "Deflate": RAW_DEFLATE.compress(PLAIN) + RAW_DEFLATE.flush(),
    "br": brotli.compress(PLAIN),
    "zstd": zstandard.compress(PLAIN),
    "gzip, br": brotli.compress(gzip.compress(PLAIN)),
    "identity": PLAIN,
    "something-new": PLAIN,
}


@pytest.mark.parametrize("coding", CODED)
def test_coded_bodies_are_decoded_also_when_their_head_is_known(coding):
    answer = response(CODED[coding], f"Content-Encoding: {coding}")
    with serving(always(answer, answer)) as server:
        client, _ = client_of(server.url)
        assert [client.get("/").content for _ in range(2)] == [PLAIN, PLAIN]
        client.close()


def test_the_server_is_told_which_codings_are_understood():
    seen: list[bytes] = []
    with serving(routed({"/": response(b"")}, seen)) as server:
        client, _ = client_of(server.url)
        client.get("/")
        client.close()
    assert b"Accept-Encoding: gzip, deflate, br, zstd\r\n" in seen[0]


def test_text_is_read_in_the_charset_that_the_server_names():
    pages = {
        "/latin": response("Käse".encode("latin-1"), "Content-Type: text/plain; charset=ISO-8859-1"),
        "/utf": response("Käse".encode(), "Content-Type: text/plain"),
        "/odd": response("Käse".encode(), 'Content-Type: text/plain; charset="no-such"'),
    }
    with serving(routed(pages)) as server:
        client, _ = client_of(server.url)
        assert [client.get(path).text for path in pages] == ["Käse"] * 3
        client.close()


def asked(connection: socket.socket) -> bytes:
    """The head of a request whose body waits for permission."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head


def test_a_large_body_is_sent_when_the_server_agrees():
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(asked(connection))
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        while len(body) < 200_000:
            body += connection.recv(65536)
        seen.append(body)
        connection.sendall(response(b"thanks"))
        connection.sendall(response(b"again") if read_request(connection) else b"")

    with serving(talk) as server:
        client, _ = client_of(server.url)
        assert client.post("/up", data=b"x" * 200_000, expect_continue=True).text == "thanks"
        assert client.get("/").text == "again"
        client.close()
    assert b"Expect: 100-continue\r\n" in seen[0] and b"Content-Length: 200000\r\n" in seen[0]
    assert seen[1] == b"x" * 200_000


def test_a_large_body_is_kept_back_when_the_server_refuses():
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked(connection)
        connection.sendall(response(b"too large", status="413 Content Too Large"))
        seen.append(connection.recv(65536))

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.post("/up", data=b"x" * 200_000, expect_continue=True)
    assert ledger.rows == [("POST /up", "HTTP 413")]
    assert seen == [b""]


def test_a_large_body_is_sent_to_a_server_that_does_not_know_the_question():
    def talk(connection: socket.socket) -> None:
        assert read_request(connection).endswith(b"late but whole")
        connection.sendall(response(b"ok"))

    with serving(talk) as server:
        client, _ = client_of(server.url)
        assert client.post("/up", data=b"late but whole", expect_continue=True).text == "ok"
        client.close()


def versioned(validator: str, versions: list[bytes]):
    """A server that answers 304 when the client has the newest version, which is taken from the list's end."""

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            tag = f'"{len(versions)}"'
            if f"{validator}: {tag}".encode() in request:
                connection.sendall(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
            else:
                name = "ETag" if validator == "If-None-Match" else "Last-Modified"
                connection.sendall(response(versions[-1], f"{name}: {tag}", "Content-Type: application/json"))

    return talk


@pytest.mark.parametrize("validator", ["If-None-Match", "If-Modified-Since"])
def test_a_conditional_get_downloads_only_what_has_changed(validator):
    versions = [b'{"v":1}']
    with serving(versioned(validator, versions)) as server:
        client, ledger = client_of(server.url)
        client.conditional = True
        answers = [client.get("/"), client.get("/")]
        versions.append(b'{"v":2}')
        answers += [client.get("/"), client.get("/"), client.get("/", conditional=False)]
        client.close()
    assert [answer.status_code for answer in answers] == [200, 304, 200, 304, 200]
    assert [answer.json()["v"] for answer in answers] == [1, 1, 2, 2, 2]
    assert answers[1].headers["content-type"] == "application/json"
    assert all(answer.ok for answer in answers)
    assert [error for _, error in ledger.rows] == [""] * 5


def test_a_get_asks_conditionally_only_when_the_scenario_wants_it():
    with serving(versioned("If-None-Match", [b"{}"])) as server:
        client, _ = client_of(server.url)
        assert [client.get("/").status_code for _ in range(2)] == [200, 200]
        assert [client.get("/", conditional=True).status_code for _ in range(2)] == [200, 304]
        client.close()


def test_what_is_remembered_is_bounded():
    with serving(versioned("If-None-Match", [b"x" * 100_000])) as server:
        client, _ = client_of(server.url)
        client.conditional = True
        for number in range(30):
            client.get(f"/{number}")
        assert client.get("/29").status_code == 304
        assert client.get("/0").status_code == 200
        client.close()


def test_a_timeout_of_the_whole_request_covers_the_wait_for_permission():
    def talk(connection: socket.socket) -> None:
        asked(connection)
        time.sleep(1)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.post("/up", data=b"x", expect_continue=True, timeout=0.3)
    assert ledger.rows == [("POST /up", "ReadTimeout")]
