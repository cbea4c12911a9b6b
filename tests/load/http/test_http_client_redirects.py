"""Redirects of the HTTP client: where they lead, what goes along, and what stays behind."""

import pytest

from tests.load.http_clients import client_of
from tests.load.raw_server import response, routed, serving


def moved(where: str, status: int = 302, *headers: str) -> bytes:
    return response(b"", f"Location: {where}", *headers, status=f"{status} Moved")


def test_redirects_are_followed_and_count_as_one_request():
    pages = {"/a": moved("b?x=1#part"), "/b?x=1": moved("/c", 301), "/c": response(b"there")}
    with serving(routed(pages)) as server:
        client, ledger = client_of(server.url)
        answer = client.get("/a", name="start")
        client.close()
    assert (answer.text, answer.url, answer.status_code) == ("there", f"{server.url}/c#part", 200)
    assert [(hop.status_code, hop.url) for hop in answer.history] == [
        (302, f"{server.url}/a"),
        (301, f"{server.url}/b?x=1#part"),
    ]
    assert ledger.rows == [("GET start", "")]
    assert server.connections == 1


def test_a_redirect_can_be_left_alone():
    with serving(routed({"/a": moved("/b")})) as server:
        client, ledger = client_of(server.url)
        answer = client.get("/a", allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"], answer.history) == (302, "/b", ())
        assert client.head("/a").status_code == 302
        assert [error for _, error in ledger.rows] == ["", ""]
        client.close()


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_method_and_body_follow_the_rules_of_the_status(status, method, then):
    seen: list[bytes] = []
    with serving(routed({"/a": moved("/b", status), "/b": response(b"ok")}, seen)) as server:
        client, _ = client_of(server.url)
        answer = client.request(method, "/a", json={"n": 1})
        client.close()
    last = seen[-1]
    assert last.startswith(f"{then} /b ".encode())
    assert last.endswith(b'{"n":1}') == (then == method)
    assert (b"Content-Type" in last) == (then == method)
    assert answer.request.method == then


def test_credentials_stay_with_the_origin_they_were_given_for():
    seen: list[bytes] = []
    with serving(routed({"/there": response(b"other")}, seen)) as other:
        pages = {"/a": moved("/b", 302, "Set-Cookie: s=1"), "/b": moved(f"http://localhost:{other.port}/there")}
        with serving(routed(pages, seen)) as server:
            client, _ = client_of(server.url)
            client.headers["Authorization"] = "Bearer secret"
            assert client.get("/a", cookies={"mine": "2"}, headers={"X-Trace": "t"}).text == "other"
            client.close()
    first, second, third = seen
    assert b"Authorization: Bearer secret" in first and b"Cookie: mine=2\r\n" in first
    assert b"Authorization: Bearer secret" in second and b"Cookie: s=1; mine=2\r\n" in second
    assert b"Authorization" not in third and b"Cookie" not in third and b"X-Trace: t" in third
    assert f"Host: localhost:{other.port}".encode() in third


def test_a_redirect_does_not_take_the_load_to_a_host_that_nobody_named():
    pages = {"/a": moved("http://elsewhere.invalid/b")}
    with serving(routed(pages)) as server:
        client, ledger = client_of(server.url)
        client.get("/a")
        client.redirect_hosts.add("elsewhere.invalid")
        client.get("/a")
        client.close()
    assert ledger.rows[0][1].startswith("RedirectRefused: to elsewhere.invalid")
    assert ledger.rows[1][1] == "NameNotResolved: elsewhere.invalid"


@pytest.mark.parametrize("where", ["ftp://127.0.0.1/", "app://open", "http://127.0.0.1:99999/"])
def test_a_redirect_to_what_is_no_http_url_is_an_error(where):
    with serving(routed({"/a": moved(where)})) as server:
        client, ledger = client_of(server.url)
        client.get("/a")
        client.close()
    assert ledger.rows[0][1].startswith("BadUrl")
