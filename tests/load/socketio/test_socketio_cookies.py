"""Cookies of Socket.IO connections: those of the user's HTTP client go along, and what is set on the way is kept."""

from collections.abc import Iterator
from contextlib import suppress

import gevent
import pytest

from dbz.children import Child, free_port, wait_until
from dbz.load.generator.http import HttpClient
from dbz.load.generator.net.faults import HandshakeRefused, OldServer, TransportError
from dbz.load.generator.socketio.client import SocketClient, SocketOptions
from tests.cli.running import dbz, newest_run
from tests.load.raw_server import read_request, response, serving
from tests.load.recorders import recorder_in
from tests.load.socketio.test_socketio_faults import CONNECTED, HANDSHAKE, OPENED, accepted
from tests.load.socketio_servers import NODE, NODE_FOLDER, listens, member_of, node_packages, sweeping, until
from tests.load.socketio_servers import serving as node_serving

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """What a generator process has running."""
    with sweeping():
        yield


@pytest.fixture(scope="module")
def balanced(tmp_path_factory) -> Iterator[str]:
    """Two servers behind a balancer with a cookie."""
    node_packages()
    port, log = free_port(), tmp_path_factory.mktemp("balancer") / "log"
    with Child("node", ["node", str(NODE_FOLDER / "balancer.mjs"), str(port)], log=log, grace_s=0.3) as child:
        wait_until(lambda: listens(port), child, deadline_s=20, what="node")
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_a_balancer_that_sets_a_cookie_finds_its_server_again(balanced, tmp_path, transports):
    def visit(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with member_of(balanced, folder, transports=transports) as member:
            member.client.connect(attempts=1)
            until(lambda: member.client.call("transport") == [transports[-1]], "the transport")
            assert member.client.call("echo", number) == [number]
            assert member.failures() == {}

    gevent.joinall([gevent.spawn(visit, number) for number in range(6)], raise_error=True)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_the_session_of_the_http_client_goes_along(balanced, tmp_path, transports):
    http = HttpClient(balanced, lambda *_: None)
    with recorder_in(tmp_path) as recorder:
        options = SocketOptions(transports=transports)
        client = SocketClient(balanced, recorder, options, cookies=lambda: http.cookies)
        http.cookies.set("sid", "secret")
        client.connect(attempts=1)
        assert "sid=secret" in client.call("cookie")[0]
        assert ("lb" in http.cookies) == (transports[0] == "polling"), "what polling was given is the user's"
        client.disconnect()
        client.options = SocketOptions(transports=transports, headers={"Cookie": "sid=by-hand"})
        client.connect(attempts=1)
        assert client.call("cookie")[0].split("; ")[-1] == "sid=by-hand"
        assert "secret" not in client.call("cookie")[0]
        client.disconnect()
    http.close()


@pytest.mark.parametrize("refused", [False, True])
def test_cookies_that_come_with_the_answer_to_an_upgrade_are_sent_the_next_time(tmp_path, refused):
    seen: list[bytes] = []

    def talk(connection):
        request = read_request(connection)
        seen.append(request)
        cookie = "Set-Cookie: lb=7; Path=/"
        if refused and len(seen) == 1:
            connection.sendall(response(b"not here", cookie, status="503 Busy"))
            return
        connection.sendall(accepted(request, cookie) + OPENED)
        connection.recv(65536)
        connection.sendall(CONNECTED)
        while connection.recv(65536):
            continue

    with serving(talk) as server, member_of(server.url, tmp_path) as member:
        for _ in range(2):
            with suppress(HandshakeRefused):
                member.client.connect(attempts=1)
            assert member.client.connected == (not refused or len(seen) == 2)
            member.client.disconnect()
    assert b"Cookie:" not in seen[0] and b"Cookie: lb=7\r\n" in seen[1]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/ws", b"/ws/?"),
        ("/ws/", b"/ws/?"),
        ("ws", b"/ws/?"),
        ("/a/b/", b"/a/b/?"),
    ],
)
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_slash_is_added_to_the_path_as_official_clients_do(tmp_path, path, asked, transport):
    seen: list[bytes] = []

    def talk(connection):
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(response(b"no", status="404 Not Found"))

    for slash in (True, False):
        options = {"path": path, "transports": (transport,), "trailing_slash": slash}
        with (
            serving(talk) as server,
            member_of(server.url, tmp_path, **options) as member,
            pytest.raises(TransportError),
        ):
            member.client.connect(attempts=1)
    assert seen[0].split(b" ")[1].startswith(asked)
    assert seen[1].split(b" ")[1].startswith(asked.replace(b"/?", b"?"))


def test_a_handshake_of_engine_io_3_is_named(tmp_path):
    old = b"%d:%b2:40" % (len(HANDSHAKE), HANDSHAKE)
    with (
        serving(lambda connection: read_request(connection) and connection.sendall(response(old))) as server,
        member_of(server.url, tmp_path, transports=("polling",)) as member,
        pytest.raises(OldServer, match="it speaks Socket"),
    ):
        member.client.connect(attempts=1)


SCENARIO = """\
from dbz.users import SocketUser, constant, task

class Member(SocketUser):
    wait_time = constant(0.1)

    def on_start(self):
        self.client.cookies.set("sid", f"s{self.seat}")
        self.socket.connect()

    @task
    def ask(self):
        cookie = self.socket.call("cookie")[0]
        assert cookie == f"sid=s{self.seat}", cookie
"""


def test_the_sockets_of_users_have_their_session_without_a_line_of_code(tmp_path):
    (tmp_path / "member.py").write_text(SCENARIO)
    with node_serving(NODE, tmp_path / "log") as (url, _):
        arguments = ("--target", url, "--users", "3", "--duration", "2s", "--warmup", "1s", "--no-live")
        dbz("load", "member.py", *arguments, cwd=tmp_path)
    run = newest_run(tmp_path)
    assert run["errors"] == []
    assert [(row["kind"], row["name"]) for row in run["operations"]] == [("ack", "cookie")]
