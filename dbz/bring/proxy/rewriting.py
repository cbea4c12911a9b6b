"""What a proxy must change in headers, so that an app works the same below another origin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from dbz.hosts import is_loopback

Fields = list[tuple[str, str]]
"""Header fields, in their order."""

_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip
"""Fields that are of one connection, and not of the message (RFC 9110, 7.6.1)."""
_OF_SOCKETS = ("sec-websocket-",)
_CODINGS = ("gzip", "deflate", "identity")
"""Codings of bodies that the recorder reads; a client is never answered in another one."""
_PLAIN = re.compile(r"(?i)\s*(domain=.*|secure|partitioned|samesite=none)\s*")
"""Attributes of a cookie that keep it from a server of another name that speaks plain HTTP."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(one: str, other: str) -> bool:
    """Whether two origins are one server: names of this machine are as good as each other."""
    a, b = urlsplit(one), urlsplit(other)
    if a.scheme != b.scheme or _port(one) != _port(other):
        return False
    hosts = (a.hostname or "", b.hostname or "")
    return hosts[0] == hosts[1] or all(map(is_loopback, hosts))


def _port(origin: str) -> int | None:
    parts = urlsplit(origin)
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def moved(url: str, here: str, there: str) -> str:
    """An absolute URL of the origin `here` as one of the origin `there`; any other text stays as it is."""
    scheme, colon, rest = url.partition("://")
    if url.startswith("//"):  # of whatever scheme the page has
        scheme, colon, rest = urlsplit(here).scheme, "://", url[2:]
    if not colon:
        return url
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    try:
        same = same_origin(f"{scheme.lower()}://{host}", here)
    except ValueError:
        return url
    return there + rest[len(host) :] if same else url


def _end_to_end(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields without those of the connection, and those that its `Connection` field names."""
    listed = list(fields)
    named = {
        part.strip().lower() for name, value in listed if name.lower() == "connection" for part in value.split(",")
    }
    for name, value in listed:
        if name.lower() not in _HOP_BY_HOP and name.lower() not in named:
            yield name, value


def to_server(fields: Iterable[tuple[str, str]], own: str, target: str) -> Fields:
    """The fields of a request as the server gets them; `own` is the proxy's origin, as the client calls it."""
    changed: Fields = []
    for name, value in _end_to_end(fields):
        lower = name.lower()
        if lower in ("host", "expect") or lower.startswith(_OF_SOCKETS):
            continue
        if lower in ("origin", "referer"):
            value = moved(value, own, target)
        elif lower == "accept-encoding":
            value = _readable(value)
        changed.append((name, value))
    return changed


def _readable(accepted: str) -> str:
    """The codings of `Accept-Encoding` that the recorder reads."""
    kept = [part.strip() for part in accepted.split(",") if part.partition(";")[0].strip().lower() in _CODINGS]
    return ", ".join(kept) or "identity"


def to_client(fields: Iterable[tuple[str, str]], own: str, target: str) -> Fields:
    """The fields of an answer as the client gets them."""
    changed: Fields = []
    for name, value in _end_to_end(fields):
        lower = name.lower()
        if lower == "strict-transport-security" or lower.startswith(_OF_SOCKETS):
            continue
        if lower in ("location", "content-location", "access-control-allow-origin"):
            value = moved(value, target, own)
        elif lower == "set-cookie":
            value = plain_cookie(value)
        changed.append((name, value))
    return changed


def plain_cookie(field: str) -> str:
    """A `Set-Cookie` field as a client keeps it that speaks plain HTTP to a server of another name.

    A name that begins with `__Secure-` or `__Host-` demands what is taken away here: such a cookie stays as it is.
    """
    pair, *attributes = field.split(";")
    if pair.strip().startswith(("__Secure-", "__Host-")):
        return field
    return ";".join([pair, *(one for one in attributes if not _PLAIN.fullmatch(one))])
