"""Proxies: which one the environment asks for, and the tunnel through one that TLS needs."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from dbz.hosts import is_loopback
from dbz.load.generator.net.dial import dial
from dbz.load.generator.net.faults import GeneratorLimit, ProxyFailed, ReadTimeout, TransportError
from dbz.load.generator.net.origin import Origin
from dbz.masking import masked_url, reason_of

_LONGEST_HEAD_BYTES = 65536
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    authorization: str = ""
    """The value of the Proxy-Authorization field; empty for none."""


def proxy_for(host: str, port: int, tls: bool, url: str | None) -> Proxy | None:
    """The proxy towards a server: `url` when it is a URL, none when it is empty, otherwise the environment's.

    The environment is `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`; it never applies to loopback, because a
    load on this machine must not leave it by accident.
    """
    if url is not None:
        return parse_proxy(url) if url else None
    if is_loopback(host):
        return None
    proxies = getproxies_environment()
    url = proxies.get("https" if tls else "http") or proxies.get("all")
    if not url or proxy_bypass_environment(f"{host}:{port}", proxies):
        return None
    return parse_proxy(url)


def parse_proxy(url: str) -> Proxy:
    """The proxy that a URL names; `ProxyFailed` when it is none that dbz can speak to."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError as error:
        raise ProxyFailed(f"'{masked_url(url)}' is not a URL: {reason_of(error)}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise ProxyFailed(f"only http:// proxies are spoken to, not '{parts.scheme}://{parts.hostname or ''}'")
    return Proxy(parts.hostname, port, basic_authorization(*_credentials(parts)) if parts.username else "")


def basic_authorization(user: object, password: object) -> str:
    """The value of an Authorization field for HTTP's Basic scheme (RFC 7617): bytes as they are, text in UTF-8."""
    pair = (part if isinstance(part, bytes) else str(part).encode() for part in (user, password))
    return "Basic " + base64.b64encode(b":".join(pair)).decode()


def dial_proxy(proxy: Proxy, timeout_s: float) -> Any:
    """A socket that is connected to the proxy; `ProxyFailed` when it cannot be reached."""
    try:
        return dial(proxy.host, proxy.port, timeout_s)
    except GeneratorLimit:
        raise
    except TransportError as error:
        raise ProxyFailed(f"{proxy.host}:{proxy.port}: {error}") from error


def open_tunnel(
    send: Callable[[bytes], None], receive: Callable[[], bytes], proxy: Proxy, host: str, port: int
) -> None:
    """Ask the proxy for a connection to the server (RFC 9110, section 9.3.6); `ProxyFailed` when it refuses.

    `receive` gives bytes as they come, and none when the proxy has closed.
    """
    where = Origin(host, port).authority
    credentials = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    head = more = b""
    try:
        send(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{credentials}\r\n".encode("latin-1"))
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD_BYTES:
            # Byte by byte would be safe against a server that speaks first; in TLS the client does.
            more = receive()
            if not more:
                break
            head += more
    except OSError as error:
        raise ProxyFailed(f"{error.strerror or error or 'no answer'}") from error
    except TransportError as error:
        raise ProxyFailed("no answer" if isinstance(error, ReadTimeout) else str(error)) from error
    if not more:
        raise ProxyFailed("the proxy closed the connection")
    status = _STATUS.match(head)
    if status is None or status[1][:1] != b"2":
        answer = head.split(b"\r", 1)[0][:80].decode("latin-1")
        raise ProxyFailed(f"the proxy answered {answer}")


def _credentials(parts: SplitResult) -> tuple[str, str]:
    return unquote(parts.username or ""), unquote(parts.password or "")
