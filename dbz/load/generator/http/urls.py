"""URLs: where they lead, and how they are written into a request."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urljoin, urlsplit

from dbz.load.generator.net.faults import BadUrl
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import basic_authorization

_UNCLEAN = re.compile(r"[^!-~]|#")
_SAFE = "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SCHEMES = {"http": (80, False), "ws": (80, False), "https": (443, True), "wss": (443, True)}


def split_url(url: str) -> tuple[Origin, str]:
    """The origin and the request target of an absolute URL; `BadUrl` when it is none."""
    try:
        parts = urlsplit(url)
        port, tls = _SCHEMES[parts.scheme]
        origin = Origin(parts.hostname or "", parts.port or port, tls)
    except (KeyError, ValueError):
        raise BadUrl(url[:200]) from None
    if not origin.host:
        raise BadUrl(url[:200])
    return origin, clean_target(parts.path + (f"?{parts.query}" if parts.query else ""))


def credentials_of(url: str) -> str:
    """The Authorization that `user:password@` in a URL asks for, or an empty text."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    return basic_authorization(unquote(parts.username), unquote(parts.password or ""))


def clean_target(target: str) -> str:
    """A request target without its fragment, with everything quoted that may not be on the request line."""
    if _UNCLEAN.search(target) is None:
        return target
    return quote(target.partition("#")[0], safe=_SAFE)


def full_url(origin: Origin, target: str) -> str:
    """The absolute URL of a request target."""
    return origin.url + target


def resolve(url: str, reference: str) -> tuple[Origin, str]:
    """Where a Location field, seen at `url`, leads; `BadUrl` when that is no HTTP URL."""
    try:
        origin, target = split_url(urljoin(url, reference))
    except ValueError:
        raise BadUrl(reference[:200]) from None
    return origin, target or "/"
