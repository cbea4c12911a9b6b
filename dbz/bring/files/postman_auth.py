"""How a request of a Postman collection shows who asks: the headers and the query of its `auth`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from dbz.bring.recording import placeholder

_READ = ("bearer", "apikey", "basic", "oauth2", "noauth")
_BASIC = "Basic "
_UNKNOWN = "{{"
"""What is left of a variable without a value."""


def auth_headers(auth: Any) -> list[tuple[str, str]]:
    """The headers of an `auth`, variables and all; credentials of Basic are plain until `encoded_basic`."""
    kind, settings = _of(auth)
    if kind == "bearer":
        return [("authorization", f"Bearer {_setting(settings, 'token')}")]
    if kind == "basic":
        return [("authorization", f"{_BASIC}{_setting(settings, 'username')}:{_setting(settings, 'password')}")]
    if kind == "apikey" and _setting(settings, "in") != "query":
        return [(_setting(settings, "key").lower(), _setting(settings, "value"))]
    if kind == "oauth2" and _setting(settings, "addTokenTo") != "queryParams":
        return [("authorization", f"{_setting(settings, 'headerPrefix').strip() or 'Bearer'} {_token(settings)}")]
    return []


def auth_query(auth: Any) -> str:
    """What an `auth` adds to the query; empty where that is nothing."""
    kind, settings = _of(auth)
    if kind == "apikey" and _setting(settings, "in") == "query":
        return f"{quote(_setting(settings, 'key'))}={_setting(settings, 'value')}"
    if kind == "oauth2" and _setting(settings, "addTokenTo") == "queryParams":
        return f"access_token={_token(settings)}"
    return ""


def unread_auth(auth: Any) -> str:
    """The kind of an `auth` that neither of the two reads, such as `digest`; empty for one that is read."""
    kind, _ = _of(auth)
    return "" if kind in _READ else kind


def encoded_basic(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers whose variables are put in, with the credentials of Basic in base 64; with a variable that has no value
    all of them are asked of the environment."""
    return [(name, _encoded(text) if name == "authorization" else text) for name, text in headers]


def _encoded(text: str) -> str:
    user = text.removeprefix(_BASIC)
    if user == text or ":" not in user:
        return text
    if _UNKNOWN in user:
        return _BASIC + placeholder("BASIC_CREDENTIALS")
    return _BASIC + base64.b64encode(user.encode()).decode()


def _of(auth: Any) -> tuple[str, Any]:
    """The kind of an `auth` and its settings: a list in collections 2.1, an object in 2.0."""
    kind = str(auth.get("type") or "") if isinstance(auth, dict) else ""
    return kind, auth.get(kind) if kind else None


def _token(settings: Any) -> str:
    return _setting(settings, "accessToken") or "{{access_token}}"


def _setting(settings: Any, key: str) -> str:
    if isinstance(settings, dict):
        return str(settings.get(key) or "")
    listed = settings if isinstance(settings, list) else []
    return next((str(one.get("value") or "") for one in listed if isinstance(one, dict) and one.get("key") == key), "")
