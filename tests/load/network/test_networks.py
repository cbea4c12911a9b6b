"""Connections over a user's network: what they carry takes its time, arrives whole, and ends as it should."""

from __future__ import annotations

import itertools
import random
import socket
import time
from pathlib import Path

import gevent
import pytest
import trustme
from gevent import socket as gsocket

from dbz.load.generator.http import HttpClient
from dbz.load.generator.http.answer.reader import ResponseReader
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.net.wire import DirectConnection
from dbz.load.generator.socketio.client import SocketClient, SocketOptions
from dbz.load.planning.networks import Network
from tests.load.http.test_http_client_tls import context_with
from tests.load.http_answers import answers
from tests.load.http_clients import Ledger, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, read_request, response, serving
from tests.load.recorders import recorder_in
from tests.load.socketio_servers import PYTHON, open_descriptors, until
from tests.load.socketio_servers import serving as serving_socketio

pytestmark = pytest.mark.usefixtures("deadline_sweep")

EARLY_S = 0.005
"""By how much timers may be early."""
SLOW = Network("slow", 1, latency_s=0.12, down_bit_s=4_000_000, up_bit_s=2_000_000)


def client_over(network: Network, url: str, ledger: Ledger | None = None) -> HttpClient:
    return HttpClient(url, ledger or Ledger(), access=UserAccess(network, random.Random(1)))


def test_a_request_takes_the_round_trips_and_the_bytes_over_the_bandwidth():
    body = random.Random(1).randbytes(100_000)
    with serving(always(response(body), response(b"short"))) as server:
        client = client_over(SLOW, server.url)
        first = client.get("/")
        second = client.post("/", data=body)
        client.close()
    assert first.content == body
    assert second.text == "short"
    assert first.connect_s >= 0.12 - EARLY_S
    assert first.elapsed_s >= 2 * 0.12 + 100_000 * 8 / 4_000_000 - EARLY_S
    assert second.connections == 0
    assert second.elapsed_s >= 0.12 + 100_000 * 8 / 2_000_000 - EARLY_S


def test_a_name_costs_a_round_trip_once_and_tls_its_own():
    authority = trustme.CA()
    with serving(always(response(b"ok")), tls=context_with(authority.issue_cert("127.0.0.1"))) as server:
        client = client_over(SLOW, server.url)
        client.verify = False
        answer = client.get("/")
        client.close()
    assert answer.text == "ok"
    assert answer.tls_s >= 0.12 - EARLY_S
    access = UserAccess(SLOW, random.Random(1))
    began_s = time.monotonic()
    left_s = access.approach("shop.example", 5.0)
    assert time.monotonic() - began_s >= 0.24 - EARLY_S
    assert left_s == pytest.approx(5 - 0.24)
    assert access.approach("shop.example", 5.0) == pytest.approx(5 - 0.12)


def test_connections_of_one_user_share_its_bandwidth():
    body = b"x" * 50_000
    with serving(always(response(body))) as server:
        client = client_over(SLOW, server.url)
        began_s = time.monotonic()
        gets = [gevent.spawn(client.get, "/") for _ in range(4)]
        gevent.joinall(gets)
        took_s = time.monotonic() - began_s
        client.close()
    assert {get.value.content for get in gets} == {body}
    assert took_s >= 4 * 50_000 * 8 / 4_000_000 - EARLY_S


@pytest.mark.parametrize(
    "fast",
    [Network("fast", 1, latency_s=0.004, jitter_s=0.004, down_bit_s=1e9, up_bit_s=1e9), Network("handed on", 1)],
    ids=lambda network: network.name,
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_large_body_comes_whole_both_ways_and_leaves_no_descriptor_open(fast: Network, tls: bool):
    body = random.Random(2).randbytes(1_500_000)
    context = context_with(trustme.CA().issue_cert("127.0.0.1")) if tls else None
    with serving(always(response(b""))) as server:
        client = client_over(fast, server.url)
        client.get("/")  # what a process opens once is open now
        client.close()
    before = open_descriptors()
    with serving(always(response(body), response(body)), tls=context) as server:
        client = client_over(fast, server.url)
        client.verify = False
        assert client.get("/").content == body
        assert client.post("/", data=body).content == body
        client.close()
        until(lambda: open_descriptors() <= before + 2, "the connections to close")  # the server's own are there still
    until(lambda: open_descriptors() <= before, "the server to close")


def test_the_first_byte_comes_before_the_body_which_takes_its_bandwidth_and_no_server_sends_ahead():
    body, went = bytes(1_000_000), []

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        read_request(connection)
        connection.sendall(response(body))
        went.append(time.monotonic())

    narrow = Network("narrow", 1, latency_s=0.1, down_bit_s=8_000_000, up_bit_s=8_000_000)
    with serving(talk) as server:
        client = client_over(narrow, server.url)
        began_s = time.monotonic()
        answer = client.get("/")
        ended_s = time.monotonic()
        client.close()
    assert answer.content == body
    assert began_s + 0.2 - EARLY_S <= answer.first_byte_s <= ended_s - 0.5, "the body alone takes a second"
    assert answer.elapsed_s >= 0.1 + 1.0 - EARLY_S
    assert went[0] >= began_s + 0.3, "the server felt that its reader is slow"


def test_a_server_that_hangs_up_is_noticed_and_one_that_is_not_there_too():
    ledger = Ledger()
    with serving(lambda connection: connection.recv(1000)) as server:
        client = client_over(SLOW, server.url, ledger)
        client.post("/")
    client.get("/")
    assert [error.partition(":")[0] for _, error in ledger.rows] == ["ConnectionLost", "ConnectFailed"]


def test_a_network_that_is_slower_than_the_timeouts_is_a_timeout():
    ledger = Ledger()
    with serving(always(response(b"ok"))) as server:
        client = client_over(Network("far", 1, latency_s=0.4), server.url, ledger)
        client.get("/", timeout=(0.3, 1))
        client.get("/", timeout=(10, 0.1))
        client.close()
    assert [error.partition(":")[0] for _, error in ledger.rows] == ["ConnectTimeout", "ReadTimeout"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_socket_io_goes_over_the_network_too(tmp_path: Path, transport: str):
    with (
        serving_socketio(PYTHON, tmp_path / "log") as (url, _),
        recorder_in(tmp_path) as recorder,
    ):
        access = UserAccess(SLOW, random.Random(1))
        socket_ = SocketClient(url, recorder, SocketOptions(transports=(transport,)), access=access)
        socket_.connect({"token": "good"}, attempts=1)
        began_s = time.monotonic()
        assert socket_.call("echo", "x" * 1000) is not None
        assert time.monotonic() - began_s >= 0.12 - EARLY_S
        socket_.disconnect()


def test_the_server_gets_what_was_sent_before_its_user_closed():
    got: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        while data := connection.recv(65_536):
            got.append(data)
        got.append(b"end")

    with serving(talk) as server:
        access = UserAccess(SLOW, random.Random(1))
        near = access.carry(gevent.socket.create_connection(("127.0.0.1", server.port)))
        near.send(b"y" * 30_000)
        near.close()
        until(lambda: got[-1:] == [b"end"], "the server to see the end")
    assert b"".join(got) == b"y" * 30_000 + b"end"


def outcome(connection: Connection, far: gsocket.socket, pieces: list[bytes], method: str) -> object:
    """What the reader makes of what a server sends in pieces before it closes."""
    connection.deadline_s = time.monotonic() + 30
    reader = ResponseReader(5_000)
    try:
        for piece in pieces:
            far.sendall(piece)
            gevent.sleep(0.001)
        far.close()
        head, body = reader.read(connection, method)
    except TransportError as error:
        return error.name
    finally:
        connection.close()
    return head.status, head.fields, bytes(body), reader.reusable


def test_every_answer_is_read_over_a_network_as_it_is_without_one():
    network = Network("quick", 1, latency_s=0.004, down_bit_s=20_000_000, up_bit_s=20_000_000)
    access, chance = UserAccess(network, random.Random(1)), random.Random(1)
    for case in answers(7, 80):
        cuts = sorted(chance.randrange(len(case.raw) + 1) for _ in range(chance.randrange(3)))
        pieces = [case.raw[first:last] for first, last in itertools.pairwise([0, *cuts, len(case.raw)]) if last > first]
        (near, far), (direct, away) = gsocket.socketpair(), gsocket.socketpair()
        shaped = outcome(access.carry(near), far, pieces, case.method)
        assert shaped == outcome(DirectConnection(direct), away, pieces, case.method), (case, pieces)
