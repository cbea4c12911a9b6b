"""The cookies of one virtual user, by the rules of RFC 6265.

The standard library's jar needs request and response objects of urllib and about 40 us for each of them; this one costs
nothing until a server sets a cookie. There is no public-suffix list: a cookie for a whole top-level domain is refused.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from dbz.load.generator.net.origin import Origin

_MOST_COOKIES = 200
_LONGEST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie."""

    name: str
    value: str
    domain: str
    """The host that set it, or the domain that the server named, without a leading dot."""
    path: str
    host_only: bool
    """Whether it goes to `domain` itself only, and not to hosts below it."""
    secure: bool
    """Whether it goes over TLS only."""
    expires_s: float
    """Seconds since 1970; infinite for the whole session."""

    def fits(self, origin: Origin, path: str, now_s: float) -> bool:
        """Whether it belongs into a request."""
        host = origin.host
        domain_fits = host == self.domain or (not self.host_only and host.endswith("." + self.domain))
        return (
            domain_fits and _path_fits(self.path, path) and self.expires_s > now_s and (origin.tls or not self.secure)
        )


class CookieJar:
    """Cookies by (domain, path, name)."""

    def __init__(self, home: Origin) -> None:
        self._home = home
        self._cookies: dict[tuple[str, str, str], Cookie] = {}
        self._everywhere: tuple[Origin, str | None, float] | None = None
        """An origin, the Cookie field of all requests to it, and until when that is so; None after a change."""

    def __len__(self) -> int:
        return len(self._cookies)

    def __iter__(self) -> Iterator[Cookie]:
        return iter(list(self._cookies.values()))

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self._cookies = {key: cookie for key, cookie in self._cookies.items() if cookie.name != name}
        self._everywhere = None

    def items(self) -> list[tuple[str, str]]:
        """Names and values."""
        return [(cookie.name, cookie.value) for cookie in self]

    def keys(self) -> list[str]:
        """Names."""
        return [cookie.name for cookie in self]

    def values(self) -> list[str]:
        """Values."""
        return [cookie.value for cookie in self]

    def get_dict(self) -> dict[str, str]:
        """Names and values as a dictionary."""
        return dict(self.items())

    def update(self, cookies: Mapping[str, str]) -> None:
        """Add several; see `set`."""
        for name, value in cookies.items():
            self.set(name, value)

    @property
    def expire(self) -> bool:
        """Whether any of them will be over before its user is."""
        return any(cookie.expires_s < math.inf for cookie in self._cookies.values())

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a cookie, whatever its domain and path."""
        return next((cookie.value for cookie in self if cookie.name == name), default)

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Add a cookie; without a domain it is sent to the host of the base URL only."""
        self._put(Cookie(name, value, domain.lstrip(".") or self._home.host, path, not domain, False, math.inf))

    def clear(self) -> None:
        """Forget all cookies."""
        self._cookies.clear()
        self._everywhere = None

    def store(self, origin: Origin, target: str, fields: list[tuple[bytes, bytes]]) -> None:
        """Take over what the Set-Cookie fields of an answer say; what breaks the rules is ignored."""
        now_s = time.time()
        for name, value in fields:
            if name.lower() == b"set-cookie" and len(value) <= _LONGEST_BYTES:
                cookie = parse_cookie(value.decode("latin-1"), origin, target, now_s)
                if cookie is not None:
                    self._put(cookie)

    def header(self, origin: Origin, target: str) -> str:
        """The value of the Cookie field of a request; empty when there are none for it."""
        if not self._cookies:
            return ""
        path, now_s = target.partition("?")[0] or "/", time.time()
        fitting = [cookie for cookie in self._cookies.values() if cookie.fits(origin, path, now_s)]
        fitting.sort(key=lambda cookie: -len(cookie.path))  # RFC 6265, section 5.4: longer paths first
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def everywhere(self, origin: Origin) -> str | None:
        """The value of the Cookie field of every request to an origin; None when that depends on the path."""
        known = self._everywhere
        if known is None or known[0] is not origin or known[2] <= time.time():
            until_s = min((cookie.expires_s for cookie in self._cookies.values()), default=math.inf)
            same = all(cookie.path == "/" for cookie in self._cookies.values())
            known = self._everywhere = origin, self.header(origin, "/") if same else None, until_s
        return known[1]

    def header_beside(self, by_hand: str, origin: Origin, target: str) -> str:
        """As `header`, with the cookies of a field that was written by hand: these win over the jar's by name."""
        names = {pair.partition("=")[0].strip() for pair in by_hand.split(";")}
        others = [pair for pair in self.header(origin, target).split("; ") if pair.partition("=")[0] not in names]
        return "; ".join(filter(None, [*others, by_hand]))

    def _put(self, cookie: Cookie) -> None:
        key = (cookie.domain, cookie.path, cookie.name)
        self._cookies.pop(key, None)
        self._everywhere = None
        if cookie.expires_s <= time.time():
            return
        if len(self._cookies) >= _MOST_COOKIES:
            del self._cookies[next(iter(self._cookies))]
        self._cookies[key] = cookie


def pairs_text(cookies: Any) -> str:
    """The value of a Cookie field with the cookies of a request's options: by name, or as jars of others hold them."""
    pairs = cookies.items() if isinstance(cookies, Mapping) else ((each.name, each.value) for each in cookies)
    return "; ".join(f"{name}={value}" for name, value in pairs if value is not None)


def parse_cookie(text: str, origin: Origin, target: str, now_s: float) -> Cookie | None:
    """The cookie that a Set-Cookie field sets for an origin, or None when it may not."""
    pair, *rest = text.split(";")
    name, equals, value = pair.partition("=")
    attributes = {key.strip().lower(): word.strip() for key, _, word in (part.partition("=") for part in rest)}
    domain = attributes.get("domain", "").lstrip(".").lower()
    if not equals or not name.strip() or (domain and not _may_set(origin.host, domain)):
        return None
    path = attributes.get("path", "")
    return Cookie(
        name.strip(),
        value.strip(),
        domain or origin.host,
        path if path.startswith("/") else _default_path(target),
        not domain or (domain == origin.host and _is_address(domain)),
        "secure" in attributes,
        _expiry(attributes, now_s),
    )


def _expiry(attributes: dict[str, str], now_s: float) -> float:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal():
        return now_s + int(age[:12])
    parsed = parsedate_tz(attributes.get("expires", ""))
    try:
        return mktime_tz(parsed) if parsed else math.inf
    except (ValueError, OverflowError):
        return math.inf


def _may_set(host: str, domain: str) -> bool:
    return host == domain or (host.endswith("." + domain) and "." in domain and not _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _default_path(target: str) -> str:
    """RFC 6265, section 5.1.4: the folder of the request."""
    return target.partition("?")[0].rpartition("/")[0] or "/"


def _path_fits(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
