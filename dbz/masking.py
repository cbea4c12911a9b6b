"""Secrets in URLs, headers and bodies, kept out of everything that is written down or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "***"
_USER = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_HOSTS = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:(\d*|PORT|[${<].*))?(,(\[[^\[\]]*\]|[^:\[\]]*)(:\d*)?)*")
"""What stands in a URL before its path when no user does; also in documentation."""
_AFTER_A_URL = ".,:;!)"
"""How sentences go on behind a URL that has no path."""
_QUERY_VALUE = re.compile(r"([?&;][^=&;#\s'\"<>]+=)[^&;#\s'\"<>]*")
_BARE_QUERY = re.compile(r"(?<=\?)[^=&;#\s'\"<>]+(?=$|[#\s'\"<>])")
_FRAGMENT = re.compile(r"(?<=#)[^\s'\"<>]+")
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_PAIR = re.compile(r"(?P<before>[?&;#])(?P<key>[^=&;#?\s'\"<>]+)=(?P<value>[^&;#\s'\"<>]+)")
_FORM_PAIR = re.compile(r"(?P<before>^|&)(?P<key>[^=&\s'\"<>{}]+)=(?P<value>[^&\s'\"<>]+)")
_FIELD = re.compile(
    r"""(?P<before>(?P<quote>\\?["'])(?P<key>[^"'\\]{1,80})(?P=quote)\s*:\s*(?P<mark>\\?["']))"""
    r"""(?P<value>(?:\\{4}|\\{3}["']|(?!(?P=mark))(?:\\.|[^\\]))*)(?P<after>(?:(?P=mark))?)""",
    re.DOTALL,
)
"""A text of an object in JSON, as it is, as JSON in a text of JSON, or as Python shows it; one that was cut off has no
end."""
_OF_WEB = ("http", "https", "ws", "wss")
"""Schemes of URLs that may have an @ in their path."""
_SECRET_WORDS = frozenset(
    ("auth", "authorization", "code", "credentials", "jwt", "key", "otp", "pass", "pin", "pwd", "session", "sid", "sig")
)
_SECRET_FIELDS = _SECRET_WORDS - {"code", "key", "session"}
"""In bodies a code is that of an error, and a key that of a record."""
_SECRET_PARTS = (
    *("token", "secret", "passw", "passphrase", "passcode", "signature", "credential", "apikey", "api_key"),
    *("sessionid", "session_id"),
)


def masked_url(url: str) -> str:
    """A URL without what may be secret in it: user and password, the values of its query, its fragment."""
    text = _without_users(url)
    text = _QUERY_VALUE.sub(rf"\g<1>{MASK}", text)
    return _FRAGMENT.sub(MASK, _BARE_QUERY.sub(MASK, text))


def masked_text(text: str) -> str:
    """A text with its URLs masked, and of other queries and objects the values whose names say that they are secret.

    The other values stay: `GET /search?q=*` is what people call an operation.
    """
    if "://" in text:
        text = _URL.sub(lambda match: masked_url(match[0]), _without_users(text))
    if ":" in text:
        text = _FIELD.sub(_masked_field, text)
    return _PAIR.sub(_masked_pair, text) if "=" in text else text


def masked_name(name: str) -> str:
    """A name that holds a URL without user and password, and without the values whose names say that they are secret.

    The other values of a query stay: they tell pages and operations apart.
    """
    return _PAIR.sub(_masked_pair, _without_users(name))


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with `***` for the values of those that carry secrets, and with masked URLs in the others."""
    return {
        name: MASK if _is_secret(name) or "cookie" in name.lower() else _masked_reference(str(value))
        for name, value in headers.items()
    }


def masked_body(text: str) -> str:
    """A body, JSON or a form or any other text, without the values whose names say that they are secret."""
    return _FORM_PAIR.sub(_masked_pair, _FIELD.sub(_masked_field, masked_name(text)))


def is_secret_field(name: str) -> bool:
    """Whether the name of a field in a body says that its value is secret."""
    return _is_secret(name, _SECRET_FIELDS)


def _without_users(text: str) -> str:
    """A text with `***@` for user and password in each of its URLs.

    Also where the password was not quoted as URLs want it, so that another part of the URL seems to begin in it.
    """
    head, *rest = text.split("://")
    shown, scheme = [head], _scheme(head)
    for part in rest:
        shown.append(_without_user(scheme, part))
        scheme = _scheme(part)
    return "://".join(shown)


def _scheme(before: str) -> str:
    return re.split(r"[^A-Za-z0-9+.-]", before)[-1].lower()


def _without_user(scheme: str, rest: str) -> str:
    """What follows `://`, without user and password."""
    end = min((at for at in map(rest.find, "'\"<>\n") if at >= 0), default=len(rest))
    word = re.split(r"\s", rest[:end])[0]
    authority = re.split(r"[/?#]", word)[0].rstrip(_AFTER_A_URL)
    if "@" in authority:
        at = word.rfind("@")
    elif _HOSTS.fullmatch(authority) and (scheme in _OF_WEB or "@" not in word):
        return rest
    else:  # `redis://user:pass/word@host`, or even with a space in it
        at = rest.rfind("@", 0, end)
    if at >= 0:
        return f"{MASK}{rest[at:]}"
    host, _, _ = authority.partition(":")
    return f"{host}:{MASK}{rest[len(word) :]}"


def reason_of(error: Exception) -> str:
    """What an error about a URL says, without what it quotes: that may be a part of a password."""
    return re.sub(r"(['\"]).*\1", f"'{MASK}'", str(error)) or type(error).__name__


USER_VARIABLE = "TARGET_USER"
"""In files that dbz writes this variable stands for the user and the password of the target."""


def without_user(url: str) -> str:
    """A URL without user and password."""
    return _USER.sub("", url, count=1)


def written_url(url: str) -> str:
    """A URL as it may stand in a profile: with `${TARGET_USER}` for user and password, if it has some."""
    return _USER.sub(f"${{{USER_VARIABLE}}}@", url, count=1)


def user_of(url: str) -> str:
    """`user:password` of a URL; empty when it has none."""
    found = _USER.search(url)
    return found[0].removesuffix("@") if found else ""


def _masked_reference(value: str) -> str:
    """The value of a header that may be a URL, with or without a host."""
    name = masked_name(value)
    return _FRAGMENT.sub(MASK, name) if "/" in name else name


def _masked_field(match: re.Match[str]) -> str:
    hidden = is_secret_field(match["key"])
    return f"{match['before']}{MASK if hidden else match['value']}{match['after']}"


def _masked_pair(match: re.Match[str]) -> str:
    value = MASK if _is_secret(match["key"]) else match["value"]
    return f"{match['before']}{match['key']}={value}"


def _is_secret(key: str, words: frozenset[str] = _SECRET_WORDS) -> bool:
    name = key.lower()
    return any(part in name for part in _SECRET_PARTS) or bool(words & set(re.split(r"[^a-z0-9]+", name)))
