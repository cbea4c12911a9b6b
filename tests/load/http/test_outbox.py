"""Requests that are sent together: each whole, once, in nobody's name who has left, and with its own failure."""

import json
import socket
import struct
import time

import gevent
import pytest

from dbz.load.generator.http.client import UNFINISHED_ERROR
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import read_request, response, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")

USERS = 50


def test_each_of_many_users_gets_the_answer_to_its_own_request():
    def echo(connection) -> None:
        while request := read_request(connection):
            connection.sendall(response(request.split()[1]))

    def visit(client, number: int) -> list[str]:
        return [client.get(f"/{number}/{turn}").text for turn in range(5)]

    with serving(echo) as server:
        clients = [client_of(server.url) for _ in range(USERS)]
        visits = [gevent.spawn(visit, client, number) for number, (client, _) in enumerate(clients)]
        gevent.joinall(visits, timeout=20)
        for client, _ in clients:
            client.close()
        assert server.connections == USERS
    for number, each in enumerate(visits):
        assert each.value == [f"/{number}/{turn}" for turn in range(5)]
    assert all(ledger.rows == [(f"GET /{n}/{turn}", "") for turn in range(5)] for n, (_, ledger) in enumerate(clients))


def test_what_the_network_does_not_take_at_once_is_sent_nevertheless():
    """The server begins to read late, and the request is larger than what is held on the way."""
    size = 16_000_000
    got = []

    def late(connection) -> None:
        first = True
        while True:
            if not first:
                time.sleep(0.2)
            request = read_request(connection)
            if not request:
                return
            got.append(len(request))
            connection.sendall(response(b"taken"))
            first = False

    with serving(late) as server:
        client, ledger = client_of(server.url)
        client.get("/a")
        client.headers["X-Large"] = "x" * size
        assert client.get("/a").text == "taken"
        client.close()
    assert got[1] > size
    assert ledger.rows == [("GET /a", ""), ("GET /a", "")]


def test_a_request_to_a_connection_that_was_reset_is_made_again():
    requests = []

    def reset_after_the_first(connection) -> None:
        requests.append(read_request(connection))
        connection.sendall(response(b"once"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(reset_after_the_first) as server:
        client, ledger = client_of(server.url)
        for _ in range(4):
            assert client.get("/a").text == "once"
            time.sleep(0.02)  # the loop has no turn: the client does not know yet
        client.close()
        assert server.connections == 4
    assert ledger.rows == [("GET /a", "")] * 4
    assert len(requests) == 4


def test_a_user_that_leaves_before_the_loop_sends_has_asked_for_nothing():
    seen = []

    def note(connection) -> None:
        while request := read_request(connection):
            seen.append(request.split()[1].decode())
            connection.sendall(response(json.dumps(seen).encode()))

    with serving(note) as server:
        client, ledger = client_of(server.url)
        client.get("/first")
        leaving = gevent.spawn(client.get, "/never")
        # Right after it has begun, in the same turn of the loop, so before the outbox is emptied.
        gevent.get_hub().loop.run_callback(leaving.throw, gevent.GreenletExit)
        leaving.join(5)
        other, _ = client_of(server.url)
        other.get("/last")
        other.close()
        client.close()
    assert leaving.dead
    assert seen == ["/first", "/last"]
    assert ledger.rows == [("GET /first", ""), ("GET /never", UNFINISHED_ERROR)]
