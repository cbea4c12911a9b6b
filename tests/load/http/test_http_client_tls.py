"""TLS: verification is on, and what is wrong with a certificate is said."""

import datetime
import socket
import ssl
import threading

import gevent.ssl
import pytest
import trustme

from tests.load.http_clients import client_of, deadline_sweep  # noqa: F401 a fixture
from tests.load.raw_server import always, response, routed, serving

pytestmark = pytest.mark.usefixtures("deadline_sweep")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The authority's certificate as a CA bundle."""
    path = tmp_path_factory.mktemp("ca") / "bundle.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def context_with(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def test_a_server_of_a_trusted_authority_is_served_over_one_connection(authority, bundle):
    context = context_with(authority.issue_cert("127.0.0.1", "localhost"))
    body = b"x" * 300_000
    with serving(always(response(body), response(b"two")), tls=context) as server:
        client, ledger = client_of(server.url)
        client.verify = bundle
        assert client.get("/").content == body
        assert client.post("/", json={}).text == "two"
        client.close()
        assert server.connections == 1
    assert [error for _, error in ledger.rows] == ["", ""]


def test_verification_is_on_and_can_be_turned_off_for_one_request(authority):
    context = context_with(authority.issue_cert("127.0.0.1"))
    with serving(always(response(b"ok")), tls=context) as server:
        client, ledger = client_of(server.url)
        client.get("/")
        assert client.get("/", verify=False).text == "ok"
        client.close()
    assert ledger.rows[0][1].startswith("TlsFailed: unable to get local issuer certificate")
    assert ledger.rows[1][1] == ""


def test_a_certificate_for_another_name_is_refused(authority, bundle):
    context = context_with(authority.issue_cert("other.example"))
    with serving(always(response(b"ok")), tls=context) as server:
        client, ledger = client_of(server.url)
        client.get("/", verify=bundle)
        client.get(f"https://localhost:{server.port}/", verify=bundle)
    assert ledger.rows[0][1].startswith("TlsFailed: IP address mismatch")
    assert ledger.rows[1][1].startswith("TlsFailed: Hostname mismatch")


def test_an_expired_certificate_is_refused(authority, bundle):
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    context = context_with(authority.issue_cert("127.0.0.1", not_after=long_ago))
    with serving(always(response(b"ok")), tls=context) as server:
        client, ledger = client_of(server.url)
        client.get("/", verify=bundle)
    assert ledger.rows[0][1] == "TlsFailed: certificate has expired"


def test_a_server_without_tls_and_a_bundle_that_is_not_there_have_clear_errors():
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(response(b"plain HTTP on this port", status="400 Bad Request"))

    with serving(talk) as server:
        client, ledger = client_of(server.url.replace("http:", "https:"))
        client.get("/")
        client.get("/", verify="/no/such/bundle.pem")
    assert ledger.rows[0][1].startswith("TlsFailed: ")
    assert ledger.rows[1][1].startswith("TlsFailed: the CA bundle /no/such/bundle.pem cannot be used: No such file")


def test_a_handshake_that_never_ends_is_given_up():
    silent = threading.Event()
    with serving(lambda _: silent.wait(10)) as server:
        client, ledger = client_of(server.url.replace("http:", "https:"))
        client.get("/", timeout=(0.2, 5))
        silent.set()
    assert ledger.rows == [("GET /", "ConnectTimeout: no TLS handshake")]


def test_silence_and_the_end_of_a_tls_connection_are_noticed(authority, bundle):
    silent = threading.Event()
    context = context_with(authority.issue_cert("127.0.0.1"))

    def talk(connection: socket.socket) -> None:
        if connection.recv(65536).startswith(b"GET /silent"):
            silent.wait(10)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    with serving(talk, tls=context) as server:
        client, ledger = client_of(server.url)
        client.verify = bundle
        client.get("/silent", timeout=0.3)
        client.get("/half")
        silent.set()
    assert ledger.rows[0][1] == "ReadTimeout"
    assert ledger.rows[1][1].startswith("ConnectionLost")


def test_a_session_may_change_at_any_time_what_its_connections_are_like(authority, bundle, tmp_path):
    """As requests' session: nothing of it is settled by the first request."""
    key = tmp_path / "me.pem"
    authority.issue_cert("me@club").private_key_and_cert_chain_pem.write_to_path(str(key))
    context = context_with(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)
    seen: list[bytes] = []
    with (
        serving(always(response(b"over TLS")), tls=context) as server,
        serving(routed({"http://club.invalid/": response(b"by proxy")}, seen)) as proxy,
    ):
        client, ledger = client_of(server.url)
        client.get("/")
        client.verify = bundle
        assert client.get("/").text == "over TLS"
        client.verify = True
        client.get("/")
        client.verify = False
        client.cert = str(key)
        assert client.get("/").text == "over TLS"
        client.cert, client.verify = None, True
        client.tls_context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.tls_context.load_verify_locations(bundle)
        assert client.get("/").text == "over TLS"
        client.base_url = "http://club.invalid"
        client.get("/")
        client.proxy = f"http://127.0.0.1:{proxy.port}"
        assert client.get("/").text == "by proxy"
        client.proxy = ""
        client.get("/")
        client.proxies["http"] = f"http://127.0.0.1:{proxy.port}"
        assert client.get("/").text == "by proxy"
        client.close()
    assert [bool(error) for _, error in ledger.rows] == [True, False, True, False, False, True, False, True, False]
