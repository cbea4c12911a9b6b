"""Opening sockets and TLS sessions, with failures that have clear names."""

from __future__ import annotations

import socket
import ssl
from functools import cache, lru_cache
from pathlib import Path

import gevent
from gevent import socket as gsocket
from gevent import ssl as gssl

from dbz.load.generator.net.faults import ConnectFailed, ConnectTimeout, NameNotResolved, TlsFailed
from dbz.load.generator.net.limits import limit_behind


def dial(host: str, port: int, timeout_s: float) -> gsocket.socket:
    """A connected TCP socket; `timeout_s` covers the look-up of the name as well, and stays set.

    Raises `NameNotResolved`, `ConnectFailed`, `ConnectTimeout`, or `GeneratorLimit` when this process is the reason.
    """
    try:
        sock = _connected(host, port, timeout_s)
    except (socket.gaierror, UnicodeError) as error:
        raise NameNotResolved(host) from error
    except TimeoutError as error:
        raise ConnectTimeout(f"{timeout_s:g} s") from error
    except (OSError, OverflowError) as error:
        raise limit_behind(error) or ConnectFailed(getattr(error, "strerror", "") or str(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _connected(host: str, port: int, timeout_s: float) -> gsocket.socket:
    family = _family_of(host)
    if family is None:
        with gevent.Timeout(timeout_s, TimeoutError):
            return gsocket.create_connection((host, port), timeout_s)
    sock = gsocket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


@lru_cache(maxsize=1024)
def _family_of(host: str) -> socket.AddressFamily | None:
    """Of an address; None for a name. To look an address up, as gevent does, takes a thread and its turns."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family
    return None


@cache
def tls_context(verify: bool | str, cert: str | tuple[str, str] | None = None) -> ssl.SSLContext:
    """The TLS settings of the options `verify` (True, False, or the path of a CA bundle or of a folder of them) and
    `cert` (the path of a client certificate with its key, or of both); `TlsFailed` when one of them is unusable.

    Made once: reading the certificate authorities takes longer than a handshake.
    """
    context: ssl.SSLContext = gssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if isinstance(verify, str):
            folder = Path(verify).is_dir()
            context.load_verify_locations(None if folder else verify, verify if folder else None)
        else:
            context.load_default_certs()
    except OSError as error:
        raise limit_behind(error) or TlsFailed(
            f"the CA bundle {verify} cannot be used: {error.strerror or error}"
        ) from error
    try:
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:
        raise limit_behind(error) or TlsFailed(
            f"the client certificate {cert} cannot be used: {error.strerror or error}"
        ) from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def wrap_tls(sock: gsocket.socket, host: str, context: ssl.SSLContext) -> gssl.SSLSocket:
    """A TLS session on a connected socket; `TlsFailed` says what is wrong with certificate or protocol."""
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except TimeoutError as error:
        raise ConnectTimeout("no TLS handshake") from error
    except (OSError, ValueError) as error:
        raise tls_failure(error) from error


def tls_failure(error: Exception) -> TlsFailed:
    """What is wrong with certificate or protocol, by what the library says of it."""
    return TlsFailed(getattr(error, "verify_message", "") or getattr(error, "reason", None) or str(error))
