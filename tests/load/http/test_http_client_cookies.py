"""The cookies of one virtual user."""

import time

import pytest

from dbz.load.generator.http.cookies import CookieJar
from dbz.load.generator.net.origin import Origin
from tests.load.http_clients import client_of
from tests.load.raw_server import response, routed, serving

HOME = Origin("app.club.example", 443, True)


def jar_with(*set_cookies: str, origin: Origin = HOME, target: str = "/shop/cart?x=/1") -> CookieJar:
    jar = CookieJar(HOME)
    jar.store(origin, target, [(b"Set-Cookie", one.encode()) for one in set_cookies])
    return jar


def test_a_session_cookie_is_sent_back_until_it_is_taken_away():
    seen: list[bytes] = []
    pages = {
        "/login": response(b"", "Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: theme=dark; Path=/"),
        "/me": response(b"me"),
        "/logout": response(b"", "Set-Cookie: sid=; Path=/; Max-Age=0"),
    }
    with serving(routed(pages, seen)) as server:
        client, _ = client_of(server.url)
        answer = client.post("/login", json={})
        client.get("/me")
        client.get("/logout")
        client.get("/me", headers={"X-One": "1"}, cookies={"extra": "2"})
        client.close()
    assert answer.cookies == {"sid": "abc", "theme": "dark"}
    assert b"Cookie: sid=abc; theme=dark\r\n" in seen[1]
    assert b"Cookie: theme=dark; extra=2\r\n" in seen[3]
    assert client.cookies.get("theme") == "dark"


def test_two_users_do_not_share_cookies():
    seen: list[bytes] = []
    with serving(routed({"/": response(b"", "Set-Cookie: a=1")}, seen)) as server:
        for _ in range(2):
            client, _ = client_of(server.url)
            client.get("/")
            client.close()
    assert all(b"Cookie:" not in request for request in seen)


def test_a_scenario_sets_and_clears_cookies_itself():
    seen: list[bytes] = []
    with serving(routed({"/": response(b"")}, seen)) as server:
        client, _ = client_of(server.url)
        client.cookies.set("a", "1\r\nX-Injected: yes")
        client.get("/")
        client.cookies.clear()
        client.get("/")
        client.close()
    assert b"Cookie: a=1  X-Injected: yes\r\n" in seen[0]
    assert b"Cookie" not in seen[1]


@pytest.mark.parametrize(
    ("set_cookie", "origin", "path", "sent"),
    [
        ("a=1", HOME, "/shop/other", "a=1"),
        ("a=1", HOME, "/shopping", ""),
        ("a=1; Path=/", HOME, "/anything", "a=1"),
        ("a=1; Path=/shop/", HOME, "/shop", ""),
        ("a=1; Path=/", Origin("other.club.example", 443, True), "/", ""),
        ("a=1; Path=/; Domain=club.example", Origin("other.club.example", 443, True), "/", "a=1"),
        ("a=1; Path=/; Domain=.club.example", Origin("notclub.example", 443, True), "/", ""),
        ("a=1; Path=/; Domain=example", HOME, "/", ""),
        ("a=1; Path=/; Domain=other.example", HOME, "/", ""),
        ("a=1; Path=/; Secure", Origin(HOME.host, 80), "/", ""),
        ("a=1; Path=/; Secure", HOME, "/", "a=1"),
        ("a=1; Path=/", Origin(HOME.host, 8080), "/", "a=1"),
        ("a=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT", HOME, "/", ""),
        ("a=1; Path=/; Expires=Wed, 21-Oct-2099 07:28:00 GMT", HOME, "/", "a=1"),
        ("a=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=60", HOME, "/", "a=1"),
        ("a=1; Path=/; Max-Age=-1", HOME, "/", ""),
        ("a=1; Path=/; Expires=rubbish; Max-Age=rubbish", HOME, "/", "a=1"),
        ("a=; Path=/", HOME, "/", "a="),
        ("=1; Path=/", HOME, "/", ""),
        ("nothing", HOME, "/", ""),
    ],
)
def test_where_a_cookie_goes_follows_rfc_6265(set_cookie, origin, path, sent):
    assert jar_with(set_cookie).header(origin, path) == sent


def test_longer_paths_come_first():
    assert jar_with("a=1; Path=/", "b=2; Path=/shop").header(HOME, "/shop/x") == "b=2; a=1"


def test_a_cookie_of_an_address_stays_with_the_address():
    address = Origin("127.0.0.1", 80)
    jar = jar_with("a=1; Domain=127.0.0.1; Path=/", "b=2; Domain=0.0.1; Path=/", origin=address)
    assert jar.header(address, "/") == "a=1"


def test_a_cookie_expires_while_the_user_lives(monkeypatch):
    jar = jar_with("a=1; Path=/; Max-Age=100")
    assert jar.header(HOME, "/") == "a=1"
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 101)
    assert jar.header(HOME, "/") == ""


def test_a_server_cannot_fill_the_memory_with_cookies():
    jar = jar_with(*(f"c{number}=1; Path=/" for number in range(500)), "big=" + "x" * 5000)
    assert len(jar) == 200
    assert jar.get("c499") == "1" and jar.get("c0") is None and jar.get("big") is None
