"""The opening handshake of WebSockets (RFC 6455, section 4.2), as far as it is HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, MutableMapping
from hashlib import sha1
from typing import Any, NamedTuple

Headers = list[tuple[bytes, bytes]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_VERSION = b"13"


class Refusal(NamedTuple):
    """An HTTP answer in place of a WebSocket."""

    status: int
    headers: Headers
    text: bytes


def asks_for_websocket(scope: MutableMapping[str, Any]) -> bool:
    """Whether an HTTP request wants to go on as a WebSocket, well or badly put."""
    return any(name == b"upgrade" and b"websocket" in _tokens(value) for name, value in scope["headers"])


def refusal_of(scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> Refusal | None:
    """What is wrong with the handshake in a request; None when nothing is."""
    if scope["method"] != "GET" or scope["http_version"] != "1.1":
        return Refusal(400, [], b"a WebSocket begins with a GET of HTTP/1.1")
    if b"upgrade" not in _tokens(headers.get(b"connection", b"")):
        return Refusal(400, [], b"a WebSocket begins with the header `Connection: Upgrade`")
    if headers.get(b"sec-websocket-version") != _VERSION:
        return Refusal(426, [(b"sec-websocket-version", _VERSION)], b"WebSockets here are of version 13")
    if not _is_key(headers.get(b"sec-websocket-key", b"")):
        return Refusal(400, [], b"Sec-WebSocket-Key is 16 bytes in Base64")
    return None


def acceptance(key: bytes) -> Headers:
    """The headers of status 101 that accept a handshake with this `Sec-WebSocket-Key`."""
    accepted = base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return [(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-accept", accepted)]


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
