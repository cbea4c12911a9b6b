"""What scenarios rely on: Locust's names, headers, paths, and judging a response in a block."""

import socket

import gevent
import pytest

from dbz.load.generator.http.response import HttpStatusError
from tests.load.http_clients import client_of
from tests.load.raw_server import always, response, routed, serving


def test_a_response_has_what_scenarios_for_locust_use():
    page = response(b'{"a": 1}', "Content-Type: application/json", "X-Two: a", "X-Two: b", status="404 Not Found")
    with serving(routed({"/x?y=1": page})) as server:
        client, _ = client_of(server.url)
        answer = client.get("/x", params={"y": 1})
        client.close()
    assert (answer.ok, answer.status_code, answer.reason) == (False, 404, "Not Found")
    assert answer.json() == {"a": 1} and answer.text == '{"a": 1}' and answer.content == b'{"a": 1}'
    assert answer.headers["Content-Type"] == answer.headers.get("CONTENT-TYPE") == "application/json"
    assert answer.headers["x-two"] == "a, b" and "x-three" not in answer.headers
    assert (answer.url, answer.request.method, answer.history) == (f"{server.url}/x?y=1", "GET", ())
    assert 0 < answer.elapsed.total_seconds() < 10
    with pytest.raises(HttpStatusError, match="HTTP 404"):
        answer.raise_for_status()


def test_an_objection_in_the_judging_block_is_a_failure_and_nothing_more():
    with serving(always(response(b"no", status="503 Unavailable"))) as server:
        client, ledger = client_of(server.url)
        with client.get("/", catch_response=True) as answer:
            answer.raise_for_status()
        assert ledger.rows == [("GET /", "HTTP 503")]
        client.close()


def test_a_user_that_is_stopped_while_judging_has_not_failed():
    with serving(always(response(b"ok"))) as server:
        client, ledger = client_of(server.url)
        with pytest.raises(gevent.GreenletExit), client.get("/", catch_response=True):
            raise gevent.GreenletExit
        assert ledger.rows == [("GET /", "")]
        client.close()


def test_paths_are_quoted_and_header_fields_stay_on_their_lines():
    seen: list[bytes] = []
    pages = {"/a%20b/%C3%A4?q=x%20y&z=A": response(b"ok"), "/f": response(b"fragment")}
    with serving(routed(pages, seen)) as server:
        client, _ = client_of(server.url)
        client.headers["X-One"] = "1\r\nX-Injected: yes"
        assert client.get("/a b/ä?q=x y&z=%41").text == "ok"
        assert client.get("/f#part").text == "fragment"
        assert client.get("f", headers={"X-Two": "2\nX-Injected: yes"}).text == "fragment"
        client.close()
    assert all(b"X-One: 1  X-Injected: yes\r\n" in request for request in seen)
    assert b"X-Two: 2 X-Injected: yes\r\n" in seen[2]


def test_default_headers_can_change_between_requests():
    seen: list[bytes] = []
    with serving(routed({"/": response(b"")}, seen)) as server:
        client, _ = client_of(server.url.replace("http://", "http://me:secret@"))
        client.get("/")
        client.headers["Authorization"] = "Bearer t"
        client.get("/")
        client.headers |= {"Host": "club.example"}
        del client.headers["Authorization"]
        client.get("/")
        client.get("/", auth=("me", "secret"))
        client.headers = {"X-Only": "this"}
        client.post("/", json={})
        client.close()
    assert b"Authorization: Basic bWU6c2VjcmV0\r\n" in seen[0]
    assert b"Authorization: Bearer t\r\n" in seen[1]
    assert b"Host: club.example\r\n" in seen[2] and seen[2].count(b"Host:") == 1 and b"Authorization" not in seen[2]
    assert b"Authorization: Basic bWU6c2VjcmV0\r\n" in seen[3] and seen[3].count(b"Host:") == 1
    assert b"X-Only: this\r\n" in seen[4] and b"User-Agent" not in seen[4]


def test_ipv6_is_spoken():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    seen: list[bytes] = []
    with serving(routed({"/": response(b"six")}, seen), host="::1") as server:
        client, _ = client_of(server.url)
        assert client.get("/").text == "six"
        client.close()
    assert f"Host: [::1]:{server.port}\r\n".encode() in seen[0]


def test_header_fields_of_one_request_replace_the_default_ones_in_any_case():
    seen: list[bytes] = []
    with serving(routed({"/": response(b"")}, seen)) as server:
        client, _ = client_of(server.url)
        client.get("/", headers={"user-agent": "phone", "content-TYPE": "text/x"}, json={})
        client.close()
    assert b"user-agent: phone\r\n" in seen[0] and b"User-Agent" not in seen[0]
    assert b"content-TYPE: text/x\r\n" in seen[0] and b"Content-Type" not in seen[0]
