"""What becomes of headers on their way through the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from random import getrandbits

from dbz.server.mesh.signing import INTERNAL_PREFIX
from dbz.server.mesh.wire import Fields

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


def onward(fields: Iterable[tuple[bytes, bytes]], named: Mapping[bytes, bytes]) -> Fields:
    """The headers of a client's request that its service gets; `named` are the same ones by their names."""
    dropped = _NOT_ON
    if b"connection" in named:
        dropped = _NOT_ON | _named_by_connection(fields)
    return [field for field in fields if field[0] not in dropped and not field[0].startswith(INTERNAL_PREFIX)]


def backward(fields: Fields) -> tuple[Fields, int | None]:
    """The headers of a service's answer that its client gets, and the length that it gives its body, if any.

    Their names are in small letters.
    """
    kept: Fields = []
    length, of_one_hop = None, False
    for field in fields:
        name = field[0]
        if name == b"content-length":
            length = int(field[1])
        elif name == b"connection":
            of_one_hop = True
        elif name not in _NOT_BACK and not name.startswith(INTERNAL_PREFIX):
            kept.append(field)
    if of_one_hop:
        named = _named_by_connection(fields)
        kept = [field for field in kept if field[0] not in named]
    return kept, length


def next_trace_parent(given: bytes | None) -> bytes:
    """The `traceparent` of a call to a service: the client's trace, or a new one, with a span of the gateway's own.

    Its ids are no secrets, and random enough for W3C Trace Context; those of zeros only are none (section 3.2.2).
    """
    span = getrandbits(64) or 1
    match = _TRACE_PARENT(given) if given else None
    if match is None or _NO_ID(match[1]) or _NO_ID(match[2]):
        return b"00-%032x-%016x-01" % (getrandbits(128) or 1, span)
    return b"00-%b-%016x-%b" % (match[1], span, match[3])


def _named_by_connection(fields: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Headers that a Connection header declares to be of this hop only."""
    return frozenset(
        option.strip().lower() for name, value in fields if name == b"connection" for option in value.split(b",")
    )
