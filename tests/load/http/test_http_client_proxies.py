"""Proxies from the environment, and those that a scenario asks for."""

import select
import socket
import ssl

import pytest
import trustme

from tests.load.http_clients import Ledger, client_of
from tests.load.raw_server import Talk, always, read_request, response, routed, serving


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests set their own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def tunnelling(port: int, seen: list[bytes]) -> Talk:
    """A proxy that connects everybody to one port of this machine, whatever they ask for."""

    def talk(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        with socket.create_connection(("127.0.0.1", port)) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pairs = {connection: server, server: connection}
            while True:
                for ready in select.select(list(pairs), [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    pairs[ready].sendall(data)

    return talk


def test_http_goes_through_the_proxy_of_the_environment(monkeypatch):
    seen: list[bytes] = []
    with serving(routed({"http://club.invalid/a?b=1": response(b"by proxy")}, seen)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        client, ledger = client_of("http://club.invalid")
        assert [client.get("/a?b=1").text for _ in range(2)] == ["by proxy"] * 2
        assert client.get("/a", params={"b": 1}, headers={"X-One": "1"}).text == "by proxy"
        client.close()
        assert proxy.connections == 1
    assert all(b"\r\nHost: club.invalid\r\n" in one for one in seen)
    assert all(b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in one for one in seen)
    assert [error for _, error in ledger.rows] == [""] * 3


def test_https_goes_through_a_tunnel_and_is_verified_end_to_end(monkeypatch, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("club.invalid").configure_cert(context)
    seen: list[bytes] = []
    with (
        serving(always(response(b"secret")), tls=context) as server,
        serving(tunnelling(server.port, seen)) as proxy,
    ):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        client, _ = client_of("https://club.invalid")
        client.verify = str(tmp_path / "ca.pem")
        assert client.get("/").text == "secret"
        client.close()
    assert seen[0].startswith(b"CONNECT club.invalid:443 HTTP/1.1\r\nHost: club.invalid:443\r\n")


def test_this_machine_and_no_proxy_are_reached_directly(monkeypatch):
    with serving(always()) as proxy, serving(always(response(b"direct"))) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", ".invalid")
        client, ledger = client_of(server.url)
        assert client.get("/").text == "direct"
        client.get("http://club.invalid/")
        client.close()
        assert proxy.connections == 0
    assert ledger.rows[1][1] == "NameNotResolved: club.invalid"


def test_a_scenario_may_ask_for_a_proxy_even_on_this_machine():
    with serving(routed({"http://127.0.0.1:9/x": response(b"by proxy")})) as proxy:
        client, _ = client_of("http://127.0.0.1:9")
        client.proxy = proxy.url
        assert client.get("/x").text == "by proxy"
        client.close()


def test_a_proxy_that_fails_is_an_error_of_its_own(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    refusing = always(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    with serving(refusing) as proxy, serving(always(b"")) as closing:
        ledger = Ledger()
        for url in (proxy.url, closing.url, nobody, "socks5://127.0.0.1:1080"):
            client, _ = client_of("https://club.invalid", ledger)
            client.proxy = url
            client.get("/")
    first, second, third, fourth = (error for _, error in ledger.rows)
    assert first == "ProxyFailed: the proxy answered HTTP/1.1 407 Proxy Authentication Required"
    assert second == "ProxyFailed: the proxy closed the connection"
    assert third.startswith("ProxyFailed: 127.0.0.1:") and "ConnectFailed: Connection refused" in third
    assert fourth == "ProxyFailed: only http:// proxies are spoken to, not 'socks5://127.0.0.1'"


def test_a_client_that_does_not_trust_the_environment_asks_no_proxy_of_it(monkeypatch):
    with serving(routed({"http://club.invalid/": response(b"by proxy")}, [])) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        client, ledger = client_of("http://club.invalid")
        client.get("/")
        client.trust_env = False
        client.get("/")
        client.get("/", headers={"X-One": "1"})
        client.trust_env = True
        client.get("/")
        client.close()
    assert [bool(error) for _, error in ledger.rows] == [False, True, True, False]
