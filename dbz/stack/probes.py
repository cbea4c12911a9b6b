"""One question to each kind of server, over a plain socket: are you up?

Client libraries would answer it too, but importing them takes longer than the servers take to start.
"""

from __future__ import annotations

import errno
import socket
import struct

from dbz.errors import UsageError

_TIMEOUT_S = 1.0
_OP_MSG = 2013


def store_answers(host: str, port: int) -> bool:
    """Whether a document store replies to `hello` (MongoDB wire protocol, OP_MSG) on `host:port`."""
    return len(_exchange(host, port, _hello())) > 16


def cache_answers(host: str, port: int) -> bool:
    """Whether a Redis-compatible server answers PING on `host:port`."""
    return _exchange(host, port, b"PING\r\n").startswith(b"+PONG")


def server_answers(host: str, port: int) -> bool:
    """Whether `GET /healthz` on `host:port` is answered with 200."""
    return _http_ok(host, port, "/healthz")


def server_is_warm(host: str, port: int) -> bool:
    """Whether the reference server on `host:port` has filled its cache, or does not say that it will."""
    return b'"warm":false' not in _exchange(host, port, _get(host, port, "/readyz"))


def gateway_answers(host: str, port: int) -> bool:
    """Whether the gateway on `host:port` says that all its services are ready."""
    return _http_ok(host, port, "/readyz")


def cloud_answers(host: str, port: int) -> bool:
    """Whether the local cloud on `host:port` says that its tasks run."""
    return _http_ok(host, port, "/_dbz/ready")


def _http_ok(host: str, port: int, path: str) -> bool:
    return _exchange(host, port, _get(host, port, path))[8:12] == b" 200"


def _get(host: str, port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()


def check_port(host: str, port: int) -> None:
    """Raise `UsageError` when no server could listen on `host:port` now."""
    try:
        _bind(host, port)
    except OSError as error:
        reason = "is already taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise UsageError(
            f"port {port} on {host} {reason}",
            hint="choose another with --port, or --port 0 for any free one",
            code="E016",
        ) from error


def port_is_taken(host: str, port: int) -> bool:
    """Whether another socket listens on `host:port`."""
    try:
        _bind(host, port)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _bind(host: str, port: int) -> None:
    with socket.socket() as probe:
        # As the servers do: connections of an earlier server that are still closing do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _exchange(host: str, port: int, request: bytes) -> bytes:
    """The first bytes of the reply to `request`; empty when nobody answers."""
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(request)
            return connection.recv(1024)
    except OSError:
        return b""


def _hello() -> bytes:
    """`{hello: 1, $db: "admin"}` as one OP_MSG (header: length, request id, response to, opcode; flags; section 0)."""
    elements = b"\x10hello\x00" + struct.pack("<i", 1) + b"\x02$db\x00" + struct.pack("<i", 6) + b"admin\x00"
    document = struct.pack("<i", len(elements) + 5) + elements + b"\x00"
    body = struct.pack("<I", 0) + b"\x00" + document
    return struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body
