"""Opening a virtual user's connection: over its network, through its proxy, and with TLS on top."""

from __future__ import annotations

import ssl
import time

from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.net.connection import Connection
from dbz.load.generator.net.dial import dial, tls_context, wrap_tls
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import Proxy, dial_proxy, open_tunnel
from dbz.load.generator.net.wire import DirectConnection


def connect(
    origin: Origin,
    timeout_s: float,
    context: ssl.SSLContext | None = None,
    proxy: Proxy | None = None,
    access: UserAccess | None = None,
) -> Connection:
    """Open a connection, through a proxy when there is one, and over the user's network where that is a shaped one.

    Raises `NameNotResolved`, `ConnectFailed`, `ConnectTimeout`, `ProxyFailed` or `TlsFailed`.
    """
    if origin.tls:
        context = context or tls_context(True)
    if access is None:
        return _direct(origin, timeout_s, context, proxy)
    return _shaped(origin, timeout_s, context, proxy, access)


def _direct(origin: Origin, timeout_s: float, context: ssl.SSLContext | None, proxy: Proxy | None) -> Connection:
    started_s = time.monotonic()
    sock = dial(origin.host, origin.port, timeout_s) if proxy is None else dial_proxy(proxy, timeout_s)
    try:
        if origin.tls and proxy is not None:
            open_tunnel(sock.sendall, lambda: sock.recv(4096), proxy, origin.host, origin.port)
        connected_s = time.monotonic()
        if origin.tls and context is not None:
            sock = wrap_tls(sock, origin.host, context)
        sock.settimeout(None)
        connection = DirectConnection(sock)
    except BaseException:
        sock.close()
        raise
    return _timed(connection, started_s, connected_s, origin)


def _shaped(
    origin: Origin, timeout_s: float, context: ssl.SSLContext | None, proxy: Proxy | None, access: UserAccess
) -> Connection:
    started_s = time.monotonic()
    left_s = access.approach(origin.host if proxy is None else proxy.host, timeout_s)
    connection = access.carry(dial(origin.host, origin.port, left_s) if proxy is None else dial_proxy(proxy, left_s))
    connection.deadline_s = started_s + timeout_s
    try:
        if origin.tls and proxy is not None:
            open_tunnel(connection.send, connection.recv, proxy, origin.host, origin.port)
        connected_s = time.monotonic()
        if origin.tls and context is not None:
            connection.encrypt(context, origin.host)
    except BaseException:
        connection.close()
        raise
    return _timed(connection, started_s, connected_s, origin)


def _timed(connection: Connection, started_s: float, connected_s: float, origin: Origin) -> Connection:
    connection.connect_s = connected_s - started_s
    connection.tls_s = time.monotonic() - connected_s if origin.tls else 0.0
    return connection
