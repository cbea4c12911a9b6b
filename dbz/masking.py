"""Secrets in URLs, kept out of everything that is written down or shown."""

from __future__ import annotations

import re

MASK = "***"
_USER = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_QUERY_VALUE = re.compile(r"([?&;][^=&;#\s'\"<>]+=)[^&;#\s'\"<>]*")
_BARE_QUERY = re.compile(r"(?<=\?)[^=&;#\s'\"<>]+(?=$|[#\s'\"<>])")
_FRAGMENT = re.compile(r"(?<=#)[^\s'\"<>]+")
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_PAIR = re.compile(r"(?P<before>[?&;])(?P<key>[^=&;#?\s'\"<>]+)=(?P<value>[^&;#\s'\"<>]+)")
_SECRET_WORDS = frozenset(
    ("auth", "authorization", "code", "credentials", "jwt", "key", "otp", "pass", "pin", "pwd", "session", "sid", "sig")
)
_SECRET_PARTS = ("token", "secret", "passw", "signature", "credential", "apikey", "sessionid")


def masked_url(url: str) -> str:
    """A URL without what may be secret in it: user and password, the values of its query, its fragment."""
    text = _USER.sub(f"{MASK}@", url)
    text = _QUERY_VALUE.sub(rf"\g<1>{MASK}", text)
    return _FRAGMENT.sub(MASK, _BARE_QUERY.sub(MASK, text))


def masked_text(text: str) -> str:
    """A text with its URLs masked, and of other queries the values whose names say that they are secret.

    The other values stay: `GET /search?q=*` is what people call an operation.
    """
    if "://" in text:
        text = _URL.sub(lambda match: masked_url(match[0]), text)
    return _PAIR.sub(_masked_pair, text) if "=" in text else text


def masked_name(name: str) -> str:
    """A name that holds a URL without user and password, and without the values whose names say that they are secret.

    The other values of a query stay: they tell pages and operations apart.
    """
    return _PAIR.sub(_masked_pair, _USER.sub(f"{MASK}@", name))


def _masked_pair(match: re.Match[str]) -> str:
    value = MASK if _is_secret(match["key"]) else match["value"]
    return f"{match['before']}{match['key']}={value}"


def _is_secret(key: str) -> bool:
    name = key.lower()
    return any(part in name for part in _SECRET_PARTS) or bool(_SECRET_WORDS & set(re.split(r"[^a-z0-9]+", name)))
