"""What becomes of headers on their way through the gateway."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextlib import suppress

from dbz.server.mesh.signing import INTERNAL_PREFIX

_OF_ONE_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110 section 7.6.1, and what older clients send."""
_NOT_ON = _OF_ONE_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"authorization",
    b"traceparent",
    b"x-request-id",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"forwarded",
}
"""What the gateway reads or writes itself. The token stays here: services are told who asks."""
_NOT_BACK = _OF_ONE_HOP | {b"server", b"date", b"content-length"}
_TRACE_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_NO_ID = re.compile(rb"0+").fullmatch

Fields = Iterable[tuple[bytes, bytes]]


def onward(fields: Fields) -> list[tuple[str, str]]:
    """The headers of a client's request that its service gets."""
    fields = list(fields)
    named = _named_by_connection(fields)
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in fields
        if name not in _NOT_ON and name not in named and not name.startswith(INTERNAL_PREFIX)
    ]


def backward(fields: Fields) -> list[tuple[bytes, bytes]]:
    """The headers of a service's answer that its client gets."""
    lowered = [(name.lower(), value) for name, value in fields]
    named = _named_by_connection(lowered)
    return [
        (name, value)
        for name, value in lowered
        if name not in _NOT_BACK and name not in named and not name.startswith(INTERNAL_PREFIX)
    ]


def next_trace_parent(given: bytes | None) -> str:
    """The `traceparent` of a call to a service: the client's trace, or a new one, with a span of the gateway's own."""
    match = _TRACE_PARENT(given or b"")
    if match is None or _NO_ID(match[1]) or _NO_ID(match[2]):
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"00-{match[1].decode()}-{secrets.token_hex(8)}-{match[3].decode()}"


def length_of(fields: Fields) -> int | None:
    """The length that an answer gives its body; None when it gives none."""
    for name, value in fields:
        if name.lower() == b"content-length":
            with suppress(ValueError):
                return int(value)
    return None


def _named_by_connection(fields: Fields) -> frozenset[bytes]:
    """Headers that a Connection header declares to be of this hop only."""
    return frozenset(
        option.strip().lower() for name, value in fields if name == b"connection" for option in value.split(b",")
    )
