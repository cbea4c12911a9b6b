"""URLs: where they lead, and how they are written into a request."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit

from requests.exceptions import RequestException
from requests.models import PreparedRequest
from requests.utils import requote_uri

from dbz.load.generator.net.faults import BadUrl
from dbz.load.generator.net.origin import Origin
from dbz.load.generator.net.proxies import basic_authorization

_UNCLEAN = re.compile(r"[^!-~]|#")
_SAFE = "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_HTTP_SCHEMES = {"http": (80, False), "https": (443, True)}
_SCHEMES = {**_HTTP_SCHEMES, "ws": (80, False), "wss": (443, True)}
is_absolute = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://").match
_is_written_as_sent = re.compile(r"/[A-Za-z0-9!$&'()*+,\-./:;=?@_~]*").fullmatch


@lru_cache(4096)
def is_plain(url: str) -> bool:
    """Whether requests sends a path as it is written: nothing in it needs a closer look."""
    return bool(_is_written_as_sent(url)) and "/." not in url


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
    return origin, _clean(parts.path + (f"?{parts.query}" if parts.query else ""))


def credentials_of(url: str) -> str:
    """The Authorization that `user:password@` in a URL asks for, or an empty text."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    return basic_authorization(unquote(parts.username), unquote(parts.password or ""))


def _clean(target: str) -> str:
    """A request target without its fragment, with everything quoted that may not be on the request line."""
    if _UNCLEAN.search(target) is None:
        return target
    return quote(target.partition("#")[0], safe=_SAFE)


def full_url(origin: Origin, target: str) -> str:
    """The absolute URL of a request target."""
    return origin.url + target


@lru_cache(1024)
def prepare_url(url: str, query: str = "") -> tuple[Origin, str, str]:
    """Origin, request target and credentials (an Authorization, or empty) of an absolute URL as a scenario writes it.

    It is written as requests writes it: names of hosts in IDNA, dot segments resolved, quoted once and in one way only,
    so that the same scenario asks the same of a server here and there. `BadUrl` when it is no HTTP URL.
    """
    prepared = PreparedRequest()
    try:
        prepared.prepare_url(url, query)
        parts = urlsplit(prepared.url or "")
        port, tls = _HTTP_SCHEMES[parts.scheme]
        origin = Origin(parts.hostname or "", parts.port or port, tls)
    except (RequestException, KeyError, ValueError):
        raise BadUrl(url[:200]) from None
    if not origin.host:
        raise BadUrl(url[:200])
    return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), credentials_of(url)


def fragment_of(url: str) -> str:
    """The part of a URL that no server is told, quoted as requests quotes it."""
    return str(requote_uri(url.partition("#")[2]))


def resolve(url: str, reference: bytes) -> tuple[Origin, str, str]:
    """Where a Location field, seen at `url`, leads, and its fragment; `BadUrl` when that is no HTTP URL.

    Servers that write more than ASCII into it mean UTF-8.
    """
    try:
        text = reference.decode("utf-8")
    except UnicodeDecodeError:
        text = reference.decode("latin-1")
    try:
        origin, target, _ = prepare_url(urljoin(url, requote_uri(text)))
    except (BadUrl, ValueError, RequestException):
        raise BadUrl(text[:200]) from None
    return origin, target, fragment_of(text)
