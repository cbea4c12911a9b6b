"""One TCP or TLS connection of a virtual user, on gevent's event loop, with failures that have clear names.

Waiting goes straight to the hub's primitive with a deadline that a sweep enforces: a timer for each read would cost
more than the read.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent import socket as gsocket
from gevent import ssl as gssl
from gevent.hub import get_hub

CHUNK_BYTES = 65536
_SWEEP_S = 0.1


class TransportError(Exception):
    """A request that got no complete answer; `name` is its error class in reports."""

    name = "TransportError"

    def __str__(self) -> str:
        detail = super().__str__()
        return f"{self.name}: {detail}" if detail else self.name


class NameNotResolved(TransportError):  # noqa: N818 the class name is what the report shows
    """The host name has no address."""

    name = "NameNotResolved"


class ConnectFailed(TransportError):  # noqa: N818
    """Nothing accepts connections there, or the network does not lead there."""

    name = "ConnectFailed"


class ConnectTimeout(TransportError):  # noqa: N818
    """No connection within the connect timeout."""

    name = "ConnectTimeout"


class TlsFailed(TransportError):  # noqa: N818
    """The TLS handshake failed: certificate, name or protocol."""

    name = "TlsFailed"


class ReadTimeout(TransportError):  # noqa: N818
    """The answer did not come, or did not end, within its timeout."""

    name = "ReadTimeout"


class ConnectionLost(TransportError):  # noqa: N818
    """The server closed or reset the connection before the answer was complete."""

    name = "ConnectionLost"


class MalformedResponse(TransportError):  # noqa: N818
    """What came is not the protocol that was asked for."""

    name = "MalformedResponse"


class BodyTooLarge(TransportError):  # noqa: N818
    """The body is larger than the client accepts."""

    name = "BodyTooLarge"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes."""

    host: str
    port: int
    tls: bool = False


class Connection:
    """A connected socket. `recv` waits until `deadline_s` (monotonic clock) and then raises `ReadTimeout`."""

    __slots__ = ("_fast", "_read", "_socket", "deadline_s", "waiting")

    def __init__(self, sock: gsocket.socket) -> None:
        self._socket = sock
        # The plain socket under gevent's wrapper does not block and needs no wrapper for a read that has data.
        self._fast = None if isinstance(sock, gssl.SSLSocket) else sock._sock
        self._read = get_hub().loop.io(sock.fileno(), 1)
        self.deadline_s = 0.0
        self.waiting: Callable[[BaseException], None] | None = None

    def fileno(self) -> int:
        """The descriptor, for an event loop's watcher."""
        return int(self._socket.fileno())

    def send(self, data: bytes) -> None:
        """Send everything."""
        try:
            if self._fast is not None:
                sent = self._fast.send(data)
                if sent < len(data):
                    self._socket.sendall(data[sent:])
            else:
                self._socket.sendall(data)
        except BlockingIOError:
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def wait_readable(self) -> None:
        """Give way to other users until there is something to read or the deadline has passed."""
        watcher = self._read
        greenlet = gevent.getcurrent()
        _waiting.add(self)
        self.waiting = greenlet.throw
        watcher.start(greenlet.switch)
        try:
            get_hub().switch()
        finally:
            watcher.stop()
            self.waiting = None
            _waiting.discard(self)

    def recv(self) -> bytes:
        """Bytes that have arrived; waits for some first; empty when the server closed the connection."""
        try:
            if self._fast is None:
                return self._recv_tls()
            self.wait_readable()
            while True:
                try:
                    return bytes(self._fast.recv(CHUNK_BYTES))
                except BlockingIOError:
                    self.wait_readable()
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def recv_now(self) -> bytes | None:
        """Bytes that have arrived, without waiting; None when there are none, empty when the server closed."""
        try:
            if self._fast is not None:
                return bytes(self._fast.recv(CHUNK_BYTES))
            self._socket.settimeout(0.0)
            return bytes(self._socket.recv(CHUNK_BYTES))
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    def recv_more(self) -> bytes | None:
        """As `recv_now` after it gave bytes: TLS may hold some that no event announces, a plain socket does not."""
        return None if self._fast is not None else self.recv_now()

    def send_now(self, data: bytes) -> int:
        """Send what the network takes without waiting; returns how many bytes that were."""
        try:
            if self._fast is not None:
                return int(self._fast.send(data))
            self._socket.settimeout(0.0)
            return int(self._socket.send(data))
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def _recv_tls(self) -> bytes:
        self._socket.settimeout(max(self.deadline_s - time.monotonic(), 0.001))
        try:
            return bytes(self._socket.recv(CHUNK_BYTES))
        except TimeoutError as error:
            raise ReadTimeout from error

    def stale(self) -> bool:
        """Whether the server closed this idle connection, or sent what nobody asked for."""
        return self._fast is not None and self.recv_now() is not None

    def close(self) -> None:
        """Close the socket."""
        self._read.stop()
        self._read.close()
        self._socket.close()


_waiting: set[Connection] = set()


def sweep_deadlines() -> None:
    """Wake those whose deadline has passed, forever; one greenlet of each generator process runs this."""
    while True:
        gevent.sleep(_SWEEP_S)
        now_s = time.monotonic()
        for connection in [one for one in _waiting if one.deadline_s < now_s]:
            if connection.waiting is not None:
                connection.waiting(ReadTimeout())


def connect(origin: Origin, timeout_s: float, context: ssl.SSLContext | None = None) -> Connection:
    """Open a connection; raises `NameNotResolved`, `ConnectFailed`, `ConnectTimeout` or `TlsFailed`."""
    try:
        sock = gsocket.create_connection((origin.host, origin.port), timeout_s)
    except socket.gaierror as error:
        raise NameNotResolved(origin.host) from error
    except TimeoutError as error:
        raise ConnectTimeout(f"{timeout_s:g} s") from error
    except OSError as error:
        raise ConnectFailed(error.strerror or str(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if origin.tls:
        sock = _wrap_tls(sock, origin, context or gssl.create_default_context())
    sock.settimeout(None)
    return Connection(sock)


def _wrap_tls(sock: gsocket.socket, origin: Origin, context: ssl.SSLContext) -> gssl.SSLSocket:
    try:
        return context.wrap_socket(sock, server_hostname=origin.host)
    except (OSError, ssl.CertificateError) as error:
        sock.close()
        raise TlsFailed(getattr(error, "verify_message", "") or getattr(error, "reason", None) or str(error)) from error
