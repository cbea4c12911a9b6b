"""The Socket.IO client against python-socketio and against the reference implementation in Node.js."""

import shutil
import subprocess
from collections.abc import Iterator

import gevent
import pytest
from gevent import ssl

from dbz.load.generator.net.faults import Refused, TlsFailed
from tests.load.socketio_servers import NODE, PYTHON, Member, member_of, open_descriptors, serving, sweeping, until

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]
MAX_BYTES = 100_000


@pytest.fixture(autouse=True)
def deadline_sweep() -> Iterator[None]:
    """What a generator process has running."""
    with sweeping():
        yield


@pytest.fixture(scope="module", params=[PYTHON, NODE])
def url(request, tmp_path_factory) -> Iterator[str]:
    """A server of each implementation."""
    log = tmp_path_factory.mktemp(request.param) / "server.log"
    compression = {"perMessageDeflate": {"threshold": 0}} if request.param == NODE else {}
    with serving(request.param, log, maxHttpBufferSize=MAX_BYTES, **compression) as (address, _):
        yield address


@pytest.fixture(params=TRANSPORTS, ids="+".join)
def member(request, url, tmp_path) -> Iterator[Member]:
    """A connected member, by each transport."""
    with member_of(url, tmp_path, transports=request.param, query={"club": "7"}, headers={"X-Team": "red"}) as one:
        one.listen("welcome", "sent_back", "for_all", "answered", "big")
        one.client.connect({"name": "Ann"})
        yield one


def test_auth_query_and_headers_arrive(member):
    until(lambda: member.events, "the welcome")
    assert member.events == [("welcome", {"name": "Ann"}, "7", "red")]
    assert member.successes()["connect", "socket"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="none"),
        pytest.param([1, "zwei", None, True, {"vier": [5.5]}], id="several"),
        pytest.param([b"\x00\xff"], id="binary"),
        pytest.param([b"a", {"deep": [b"b", {"er": b""}]}, "text", b"x" * 5000], id="nested binary"),
        pytest.param(['ä€🏸 , [ ] \x1e " \\ 42[', {"_placeholder": "no"}], id="characters that mean something"),
    ],
)
def test_arguments_come_back_as_they_were_by_event_and_by_acknowledgement(member, arguments):
    member.client.emit("send_back", *arguments)
    assert member.client.call("echo", *arguments) == arguments
    until(lambda: len(member.events) == 2, "the event")
    assert member.events[1] == ("sent_back", *arguments)
    assert member.successes()["ack", "echo"] == 1


@pytest.mark.parametrize(
    ("answer", "given"),
    [(None, []), ("yes", ["yes"]), (b"\x01", [b"\x01"]), (["a", "list"], [["a", "list"]]), (("two", 2), ["two", 2])],
)
def test_the_server_gets_what_the_handler_returns_as_its_acknowledgement(member, url, answer, given):
    member.client.on("question", lambda question: (question, *answer) if isinstance(answer, tuple) else answer)
    member.client.emit("ask", "why")
    until(lambda: len(member.events) == 2, "the answer")
    expected = ["why", *given] if isinstance(answer, tuple) else given
    # python-socketio gives its caller None for no value at all.
    assert list(member.events[1][1:]) == expected or (answer is None and member.events[1][1:] == (None,))


@pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect"])
def test_a_handler_that_would_never_be_called_is_refused(member, name):
    for place in (member.client, member.client.namespace("/admin")):
        with pytest.raises(ValueError, match=f"no server sends an event called '{name}': .+"):
            place.on(name, print)


def test_every_namespace_has_its_own_events_on_one_connection(member):
    admin = member.client.namespace("/admin")
    heard = []
    admin.on("welcome", lambda *given: heard.append(given[0]))
    admin.on("for_all", lambda *given: heard.append(given))
    admin.connect({"token": "admin"})
    admin.emit("to_all", "only", "admins")
    assert admin.call("echo", b"x", 1) == [b"x", 1]
    until(lambda: len(heard) == 2, "the events of the other namespace")
    assert heard == [{"token": "admin"}, ("only", "admins")]
    assert [event for event, *_ in member.events] == ["welcome"]
    assert member.successes()["connect", "socket /admin"] == 1
    admin.disconnect()
    assert member.client.call("echo", 1) == [1]


def test_who_begins_with_polling_changes_over_when_that_is_wanted(member):
    wanted = member.client.options.transports[-1]
    until(lambda: member.client.call("transport") == [wanted], "the transport")
    assert member.client.call("echo", b"still") == [b"still"]
    assert ("connect", "upgrade") not in member.failures()


def test_nothing_is_lost_or_out_of_order_while_the_transport_changes(member):
    for number in range(200):
        member.client.emit("send_back", number)
        gevent.sleep(0.0005)
    until(lambda: len(member.events) == 201, "all events")
    assert [number for _, number in member.events[1:]] == list(range(200))


def test_long_messages_survive_both_ways(member):
    text = "Anyone for a game at seven? " * 3000
    assert member.client.call("echo", text, b"\x07" * 60_000) == [text, b"\x07" * 60_000]


def test_more_than_the_server_accepts_is_an_error_and_the_connection_stays(member):
    assert member.client.emit("echo", "x" * (MAX_BYTES + 1)) is False
    assert member.errors()["other", "emit echo"].startswith("MessageTooLarge: 100,0")
    assert member.client.call("echo", b"x" * (MAX_BYTES + 1)) is None
    assert member.failures() == {("other", "emit echo"): 1, ("ack", "echo"): 1}
    assert member.client.call("echo", 1) == [1]


@pytest.mark.parametrize("namespace", ["/", "/admin"])
def test_a_refused_connection_has_the_servers_reason(url, tmp_path, namespace):
    with member_of(url, tmp_path) as one:
        with pytest.raises(Refused, match="not you"):
            one.client.namespace(namespace).connect({"refuse": True}, attempts=1)
        assert list(one.errors().values()) == ["Refused: not you"]
        assert not one.client.connected


def test_a_handler_that_raises_or_blocks_is_recorded_and_the_connection_survives(member):
    def blocks(*_):
        gevent.sleep(1)

    def raises(*_):
        raise KeyError("temp")

    member.client.on("sent_back", blocks)
    member.client.on("for_all", raises)
    member.client.emit("send_back", 1)
    member.client.emit("to_all", 1)
    until(lambda: len(member.errors()) == 2, "both errors")
    assert member.errors()["task", "on for_all"].startswith("KeyError: 'temp' (test_socketio.py:")
    assert member.errors()["task", "on sent_back"].startswith("HandlerBlocks")
    assert member.client.call("echo", "alive") == ["alive"]


@pytest.mark.parametrize(("event", "name"), [("leave_me", "Disconnected"), ("drop_me", "")])
def test_a_server_that_disconnects_is_recorded_and_connected_to_again(member, event, name):
    connected = []
    member.client.on_connected = lambda: connected.append(member.client.call("echo", "back"))
    member.client.emit(event)
    until(lambda: connected, "the reconnect")
    assert connected == [["back"]]
    assert member.errors()["connect", "socket"].startswith(name)
    assert member.successes()["connect", "socket"] == 2


def test_an_acknowledgement_that_does_not_come_is_a_failure_and_no_sample_of_success(member):
    assert member.client.call("ask", "why", timeout_s=0.05) is None  # nobody here answers the server's question
    assert member.failures() == {("ack", "ask"): 1}
    assert member.errors()["ack", "ask"] == "no acknowledgement within 0.05 s"


def test_a_time_limit_of_the_scenario_is_not_taken_for_that_of_an_acknowledgement(member):
    limit = gevent.Timeout(0.05)
    with pytest.raises(gevent.Timeout) as raised, limit:
        member.client.call("ask", "why", timeout_s=30)
    assert raised.value is limit and not member.failures()
    assert member.client.call("echo", "alive") == ["alive"]


def test_a_handler_that_waits_for_an_acknowledgement_is_told_not_to(member):
    member.client.on("sent_back", lambda *_: member.client.call("echo", 1))
    member.client.emit("send_back", 1)
    until(lambda: member.errors(), "the error")
    assert member.errors()["task", "on sent_back"].startswith("HandlerBlocks")
    assert member.client.call("echo", "alive") == ["alive"]


def test_what_cannot_be_sent_is_an_error_in_the_record(url, tmp_path):
    with member_of(url, tmp_path) as one:
        assert one.client.emit("echo", 1) is False
        assert one.client.call("echo", 1) is None
        assert one.errors() == {
            ("other", "emit echo"): "ConnectionLost: not connected",
            ("ack", "echo"): "ConnectionLost: not connected",
        }


def test_compression_is_used_only_when_it_was_agreed_on(url, tmp_path):
    for offered in (True, False):
        with member_of(url, tmp_path, compression=offered) as one:
            one.listen("big")
            one.client.connect()
            for size in (5_000, 20, 90_000):
                one.client.emit("big", size)
                text = "the same words " * (size // 15)
                assert one.client.call("echo", text) == [text]
            until(lambda one=one: len(one.events) == 3, "the big ones")
            assert [len(text) for _, text in one.events] == [5_000, 20, 90_000]
            transport = one.client._link._engine._transport
            assert (transport._frames._inflater is not None) == offered


def test_no_descriptor_is_left_open(url, tmp_path):
    def visit(number: int) -> None:
        with member_of(url, tmp_path / str(number % 2), transports=TRANSPORTS[number % 3]) as one:
            one.client.connect()
            one.client.call("echo", 1)

    for folder in "01":
        (tmp_path / folder).mkdir()
    visit(0)
    until(lambda: True, "")
    before = open_descriptors()
    gevent.joinall([gevent.spawn(visit, number) for number in range(12)], raise_error=True)
    until(lambda: open_descriptors() <= before, "descriptors to be closed")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: no certificate to test with")
def test_tls_is_spoken_with_whom_the_client_trusts_only(tmp_path):
    pem = tmp_path / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=dbz -days 1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", pem, "-out", tmp_path / "c"], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + (tmp_path / "c").read_bytes())
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(tmp_path / "c")
    with serving(PYTHON, tmp_path / "log", certificate=str(pem)) as (url, _):
        for transports in TRANSPORTS:
            with member_of(url, tmp_path, tls=trusting, transports=transports) as one:
                one.client.connect()
                assert one.client.call("echo", "x" * 70_000, b"y") == ["x" * 70_000, b"y"]
        with member_of(url, tmp_path) as one, pytest.raises(TlsFailed):
            one.client.connect(attempts=1)
