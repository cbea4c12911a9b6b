"""Options of requests and of the client, as Locust's own clients have them, and what a response offers."""

import gzip
import socket
import ssl
import threading
import time
import zlib

import brotli
import gevent
import pytest
import requests
import trustme
import zstandard

from dbz.load.generator.net.faults import ConnectionLost, MalformedResponse, ReadTimeout
from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, read_request, response, routed, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")

PLAIN = bytes(range(256)) * 400


@pytest.mark.parametrize(("name", "hint"), [("timout", "timeout"), ("heders", "headers"), ("nonsense", "")])
def test_an_option_that_does_not_exist_is_a_type_error_that_names_the_right_one(name, hint):
    client, ledger = client_of("http://127.0.0.1:1")
    for call in (client.get, client.post, client.head):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'") as error:
            call("/", **{name: 1})
        assert (f"did you mean '{hint}'?" in str(error.value)) == bool(hint)
    assert ledger.rows == []


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": "1"}, {"hooks": {"request": print}}])
def test_a_value_that_makes_no_sense_is_an_error_of_the_scenario(options):
    client, _ = client_of("http://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"timeout|hooks"):
        client.get("/", **options)


def test_requests_are_named_and_renamed_as_in_locust():
    with serving(routed({"/x?a=1": response(b"ok"), "/y": response(b"ok")})) as server:
        client, ledger = client_of(server.url)
        client.get(url="/x?a=1")
        client.request("GET", "/y", "by position")
        with client.rename_request("in the block"):
            client.get("/y")
            client.get("/y", name="its own")
        client.request("get", "/y")
        client.close()
    assert [name for name, _ in ledger.rows] == [
        "GET /x",
        "GET by position",
        "GET in the block",
        "GET its own",
        "GET /y",
    ]


def test_options_of_the_client_hold_for_all_its_requests():
    seen: list[bytes] = []
    called = []
    with serving(
        routed({"/a?k=1&own=2": response(b"ok"), "/a?k=1": response(b"ok"), "/a": response(b"ok")}, seen)
    ) as server:
        client, _ = client_of(server.url)
        client.auth, client.params = ("me", "pw"), {"k": "1"}
        client.hooks = {"response": lambda answer, *_, **__: called.append(answer.status_code)}
        client.get("/a", params={"own": 2})
        client.get("/a", auth=("you", "pw"))
        client.auth = client.params = client.hooks = None
        client.get("/a")
        client.close()
    assert b"Authorization: Basic bWU6cHc=" in seen[0] and b"Authorization: Basic eW91OnB3" in seen[1]
    assert b"Authorization" not in seen[2]
    assert called == [200, 200]


def test_options_of_the_client_can_be_filled_as_those_of_a_session():
    seen: list[bytes] = []
    called = []
    with serving(routed({"/a": response(b"ok"), "/a?k=1": response(b"ok")}, seen)) as server:
        client, _ = client_of(server.url)
        client.hooks["response"].append(lambda answer, *_, **__: called.append(answer.status_code))
        client.params.update({"k": "1"})
        client.proxies.pop("http", None)
        client.get("/a")
        client.params.clear()
        client.get("/a")
        client.close()
    assert [request.split(b" ", 2)[1] for request in seen] == [b"/a?k=1", b"/a"] and called == [200, 200]


def test_the_base_url_can_be_changed_and_its_credentials_go_with_it():
    first: list[bytes] = []
    second: list[bytes] = []
    with (
        serving(routed({"/a": response(b"one")}, first)) as one,
        serving(routed({"/b/a": response(b"two")}, second)) as two,
    ):
        client, ledger = client_of(one.url.replace("http://", "http://me:pw@"))
        assert client.get("/a").text == "one"
        client.base_url = f"{two.url}/b/"
        answers = [client.get("/a"), client.get("/a", headers={"X-A": "1"}), client.get("a", params={})]
        client.base_url = one.url.replace("http://", "http://you:pw@")
        assert client.get("/a").text == "one"
        client.close()
    assert [(answer.text, answer.url) for answer in answers] == [("two", f"{two.url}/b/a")] * 3
    assert client.base_url.startswith("http://you:pw@") and ledger.rows == [("GET /a", "")] * 3 + [
        ("GET a", ""),
        ("GET /a", ""),
    ]
    assert b"Basic bWU6cHc=" in first[0] and b"Basic eW91OnB3" in first[1]
    assert not any(b"authorization" in request.lower() for request in second)
    assert all(f"Host: 127.0.0.1:{two.port}".encode() in request for request in second)


def test_credentials_in_the_url_of_a_request_are_sent():
    seen: list[bytes] = []
    with serving(routed({"/a": response(b"ok")}, seen)) as server:
        client, _ = client_of("http://127.0.0.1:1")
        client.get(server.url.replace("http://", "http://me:p%20w@") + "/a")
        client.close()
    assert b"Authorization: Basic bWU6cCB3\r\n" in seen[0]


def test_hooks_see_every_answer_of_a_redirect():
    pages = {"/a": response(b"", "Location: /b", status="302 Found"), "/b": response(b"ok")}
    statuses = []
    with serving(routed(pages)) as server:
        client, _ = client_of(server.url)
        client.get("/a", hooks={"response": [lambda answer: statuses.append(answer.status_code)]})
        client.close()
    assert statuses == [302, 200]


def test_a_proxy_of_one_request_is_used():
    seen: list[bytes] = []
    with serving(routed({"http://club.invalid/x": response(b"by proxy")}, seen)) as proxy:
        client, _ = client_of("http://club.invalid")
        assert client.get("/x", proxies={"http": proxy.url}).text == "by proxy"
        client.proxies = {"http://club.invalid": proxy.url}
        assert client.get("/x").text == "by proxy"
        client.close()
    assert len(seen) == 2


def test_a_client_certificate_is_shown(tmp_path):
    authority = trustme.CA()
    bundle, own = tmp_path / "ca.pem", tmp_path / "own.pem"
    authority.cert_pem.write_to_path(str(bundle))
    mine = authority.issue_cert("me@club.example")
    mine.private_key_and_cert_chain_pem.write_to_path(str(own))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(bundle))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(always(response(b"ok"), response(b"ok")), tls=context) as server:
        client, ledger = client_of(server.url)
        client.verify = str(bundle)
        assert client.get("/", cert=str(own)).text == "ok"
        client.cert = (str(own), str(own))
        assert client.get("/").text == "ok"
        client.cert = None
        client.get("/", name="without")
        client.get("/", cert=str(tmp_path / "none.pem"), name="no such file")
        client.close()
    assert [error for _, error in ledger.rows[:2]] == ["", ""]
    assert ledger.rows[2][1] and ledger.rows[3][1].startswith("TlsFailed: the client certificate")


@pytest.mark.parametrize("timeout", [(None, 0.2), 0.2])
def test_a_timeout_may_limit_the_reads_only(timeout):
    silent = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        silent.wait(5)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        client.get("/", timeout=timeout)
        silent.set()
    assert ledger.rows == [("GET /", "ReadTimeout")]


def test_a_location_in_utf_8_is_followed_and_quoted_once():
    pages = {"/a": b"", "/gr%C3%B6%C3%9Fe": response(b"there"), "/latin%E4": response(b"latin")}
    pages["/a"] = response(b"", status="302 Found").replace(b"\r\n\r\n", "\r\nLocation: /größe\r\n\r\n".encode())
    with serving(routed(pages)) as server:
        client, _ = client_of(server.url)
        answer = client.get("/a")
        client.close()
    assert (answer.text, answer.url) == ("there", f"{server.url}/gr%C3%B6%C3%9Fe")


def test_a_response_has_what_scenarios_for_requests_use():
    page = response(
        b'\xef\xbb\xbf{"a": NaN}\n',
        "Content-Type: application/json",
        'Link: </b>; rel="next"',
        "Set-Cookie: a=1",
        status="201 Very Much Created",
    )
    with serving(routed({"/x": page, "/no": response(b"<html>")})) as server:
        client, _ = client_of(server.url)
        answer, page = client.post("/x", json={"n": 1}), client.get("/no")
        client.close()
    assert answer and answer.reason == "Very Much Created"
    assert str(answer.json()["a"]) == "nan" and list(answer.headers)[1] == "Content-Type"
    assert answer.links["next"]["url"] == "/b" and answer.cookies.get_dict() == {"a": "1"}
    assert answer.request.headers["content-type"] == "application/json" and answer.request.body == b'{"n":1}'
    assert answer.request.path_url == "/x" and not answer.is_redirect
    assert b"".join(answer.iter_content(3)) == answer.content
    with pytest.raises(requests.exceptions.JSONDecodeError):
        page.json()
    page.status_code = 599
    with pytest.raises(requests.exceptions.HTTPError, match="HTTP 599"):
        page.raise_for_status()
    page.encoding = "utf-16"
    assert page.text == b"<html>".decode("utf-16")


@pytest.mark.parametrize(("delimiter", "size"), [(None, 1), (None, 3), (None, 512), (b"\n", 512), (b"\r\n", 512)])
def test_lines_are_those_of_requests(delimiter, size):
    body = b"one\r\ntwo\n\nfour \xc3\xa4\r\n\r\nlast"
    with serving(routed({"/": response(body)})) as server:
        client, _ = client_of(server.url)
        ours = list(client.get("/").iter_lines(size, delimiter=delimiter))
        theirs = list(requests.get(server.url, timeout=5).iter_lines(size, delimiter=delimiter))
        client.close()
    assert ours == theirs


CODED = {
    "gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "Deflate": zlib.compress(PLAIN)[2:-4],
    "br": brotli.compress(PLAIN),
    "zstd": zstandard.compress(PLAIN),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("coding", CODED)
def test_padding_is_passed_over_and_a_cut_is_a_failure_in_every_coding(coding, stream):
    whole = CODED[coding]
    pages = {"/whole": whole, "/padded": whole + b"\0" * 700, "/byte": whole + b"\0"}
    cuts = {f"/cut{at}": whole[:at] for at in (1, len(whole) // 2, len(whole) - 1)}
    routes = {path: response(body, f"Content-Encoding: {coding}") for path, body in {**pages, **cuts}.items()}
    with serving(routed(routes)) as server:
        client, _ = client_of(server.url)
        assert {path: client.get(path, stream=stream).content for path in pages} == dict.fromkeys(pages, PLAIN)
        for path in cuts:
            if stream:
                with pytest.raises(MalformedResponse, match="it is cut off"):
                    _ = client.get(path, stream=True).content
            else:
                answer = client.get(path)
                assert answer.error.endswith("it is cut off") and answer.content == b""
        client.close()


def test_a_stream_of_events_is_read_as_it_arrives():
    told = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            line = b"data: %d\n\n" % number
            connection.sendall(b"%x\r\n%b\r\n" % (len(line), line))
            told.wait(5)
            told.clear()
        connection.recv(1)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        lines = []
        with client.get("/events", stream=True, catch_response=True) as answer:
            for line in answer.iter_lines(decode_unicode=True):
                lines.append(line)
                told.set()
                if line == "data: 2":
                    answer.success()
                    break
        assert [line for line in lines if line] == ["data: 0", "data: 1", "data: 2"]
        assert ledger.rows == [("GET /events", "")]
        client.close()


def test_a_streamed_connection_is_used_again_when_its_body_was_read_and_closed_when_not():
    with serving(routed({"/": response(PLAIN)})) as server:
        client, _ = client_of(server.url)
        for _ in range(3):
            assert b"".join(client.get("/", stream=True).iter_content(1000)) == PLAIN
        assert server.connections == 1
        client.get("/", stream=True).close()
        client.get("/", stream=True)
        answer = client.get("/", stream=True)
        assert answer.status_code == 200 and server.connections == 3
        assert answer.size == len(PLAIN) and answer.stream is not None
        client.close()


def test_a_streamed_body_that_breaks_off_raises_and_one_that_stops_times_out():
    silent = threading.Event()

    def talk(connection: socket.socket) -> None:
        target = read_request(connection).split(b" ")[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        if target == b"/stops":
            silent.wait(5)

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        with pytest.raises(ConnectionLost, match="closed before"):
            _ = client.get("/breaks", stream=True).content
        with pytest.raises(ReadTimeout), client.get("/stops", stream=True, catch_response=True, timeout=0.3) as answer:
            list(answer.iter_content(10))
        silent.set()
        assert ledger.rows == [("GET /breaks", ""), ("GET /stops", "ReadTimeout: ReadTimeout")]


ODD = {
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + response(b"ok"),
    "a length said twice": response(b"ok", "Content-Length: 2"),
    "a length said twice in one field": response(b"ok").replace(b": 2", b": 2, 2"),
    "a folded line": response(b"ok", "X-Folded: one\r\n two"),
    "bare line feeds": response(b"ok").replace(b"\r\n", b"\n"),
    "no reason": response(b"ok", status="200"),
    "chunks and a length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n0\r\n\r\n",
    "spaces in chunk lines": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 ; a="b;"\r\nok\r\n0  \r\n\r\n',
    "gzip as a transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(gzip.compress(b"ok", mtime=0)), gzip.compress(b"ok", mtime=0)),
}


@pytest.mark.parametrize("how", ODD)
def test_odd_answers_are_read_to_their_end_and_the_connection_is_kept(how):
    with serving(routed({"/": ODD[how]})) as server:
        client, ledger = client_of(server.url)
        assert [client.get("/").text for _ in range(3)] == ["ok"] * 3
        assert server.connections == 1
        client.close()
    assert [error for _, error in ledger.rows] == [""] * 3


@pytest.mark.parametrize("cut", [1, 7, 16, 40, 60])
@pytest.mark.parametrize("how", ODD)
def test_odd_answers_may_arrive_in_pieces(how, cut):
    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_request(connection)
        connection.sendall(ODD[how][:cut])
        time.sleep(0.01)
        connection.sendall(ODD[how][cut:])

    with serving(talk) as server:
        client, ledger = client_of(server.url)
        assert client.get("/").text == "ok"
        assert ledger.rows == [("GET /", "")]
        client.close()


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", response(b"a body that may not be")),
        ("GET", response(b"a body", status="204 No Content")),
        ("GET", response(b"a body", status="304 Not Modified")),
    ],
)
def test_a_body_that_may_not_be_ends_the_connection_and_is_no_failure(method, answer):
    with serving(always(answer)) as server:
        client, ledger = client_of(server.url)
        for _ in range(2):
            assert client.request(method, "/").content == b""
            gevent.sleep(0.02)
        assert server.connections == 2
        assert [error for _, error in ledger.rows] == ["", ""]


def test_early_hints_do_not_count_as_the_consent_to_send_a_body():
    def talk(connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        time.sleep(0.05)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.recv(100) == b"the body"
        connection.sendall(response(b"thanks"))

    with serving(talk) as server:
        client, _ = client_of(server.url)
        assert client.post("/up", data=b"the body", expect_continue=True, timeout=5).text == "thanks"
        client.close()


def test_cookies_can_be_used_like_the_jar_of_requests():
    client, _ = client_of("http://127.0.0.1:1")
    client.cookies["a"] = "1"
    client.cookies.update({"b": "2"})
    assert (client.cookies["a"], "b" in client.cookies, "c" in client.cookies) == ("1", True, False)
    assert client.cookies.get_dict() == dict(client.cookies.items()) == {"a": "1", "b": "2"}
    del client.cookies["a"]
    assert client.cookies.keys() == ["b"] and client.cookies.values() == ["2"]
    with pytest.raises(KeyError):
        client.cookies["a"]


def test_what_a_listener_is_told_comes_with_the_response():
    with serving(routed({"/": response(b"four")})) as server:
        client, _ = client_of(server.url)
        answer = client.get("/", context={"tenant": "a"})
        assert (answer.context, answer.size) == ({"tenant": "a"}, 4)
        assert client.get("/").context == {}
        client.close()
