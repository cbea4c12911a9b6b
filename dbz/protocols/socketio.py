"""Socket.IO packets (protocol 5) as they travel in Engine.IO messages: parsing, encoding, binary attachments.

A packet is `4<kind>[<attachments>-][<namespace>,][<number>][<JSON>]`; the 4 says that it is an Engine.IO message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
DEFAULT = "/"
"""The default namespace, which packets do not name."""
MAX_ATTACHMENTS = 1000
_HEAD = re.compile(rb"4([0-6])(?:(\d{1,4})-)?(?:(/[^,]*),?)?(\d{1,15})?")
_HEADS = [b"4%d" % kind for kind in range(7)]
_BINARY_KINDS = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}


class PacketError(ValueError):
    """A message is no Socket.IO packet, or its attachments do not fit."""


class Packet(NamedTuple):
    """A parsed packet."""

    kind: int
    namespace: str
    number: int | None
    """What connects an event with its acknowledgement; None for an event that wants none."""
    attachments: int
    """How many binary messages follow; `data` has placeholders until `restore` has put them in."""
    data: Any
    """Of an event [name, argument…], of an acknowledgement [argument…]."""


def parse(message: bytes) -> Packet:
    """Parse the text part of a packet; `PacketError` when it is none."""
    head = _HEAD.match(message)
    if head is None:
        raise PacketError(_excerpt(message))
    kind, attachments, namespace, number = head.groups()
    try:
        data = orjson.loads(message[head.end() :]) if head.end() < len(message) else None
        name = namespace.partition(b"?")[0].decode() if namespace else DEFAULT
    except ValueError as error:
        raise PacketError(_excerpt(message)) from error
    packet = Packet(
        int(kind), name, None if number is None else int(number), int(attachments) if attachments else 0, data
    )
    if not _makes_sense(packet):
        raise PacketError(_excerpt(message))
    return packet


def _makes_sense(packet: Packet) -> bool:
    kind, _, number, attachments, data = packet
    if attachments > (MAX_ATTACHMENTS if kind in (BINARY_EVENT, BINARY_ACK) else 0):
        return False
    if kind in (EVENT, BINARY_EVENT):
        return isinstance(data, list) and bool(data) and isinstance(data[0], str)
    if kind in (ACK, BINARY_ACK):
        return isinstance(data, list) and number is not None
    return True


def _excerpt(message: bytes) -> str:
    return repr(message[:60].decode("utf-8", "replace"))


def restore(data: Any, attachments: Sequence[bytes]) -> Any:
    """`data` with its placeholders replaced by the attachments; `PacketError` when they do not fit."""
    try:
        return _restored(data, attachments)
    except (IndexError, TypeError, RecursionError) as error:
        raise PacketError("placeholders that do not fit the attachments") from error


def _restored(data: Any, attachments: Sequence[bytes]) -> Any:
    if isinstance(data, list):
        return [_restored(item, attachments) for item in data]
    if isinstance(data, dict):
        if data.get("_placeholder") is True:
            return attachments[_index(data.get("num"))]
        return {key: _restored(value, attachments) for key, value in data.items()}
    return data


def _index(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise IndexError
    return number


def encode(kind: int, namespace: str, number: int | None, data: Any) -> list[bytes]:
    """The messages of a packet: its text, then its binary attachments. `TypeError` for what JSON cannot say."""
    attachments: list[bytes] = []
    try:
        body = b"" if data is None else orjson.dumps(data)
    except TypeError:  # something that is not JSON: binary, or refused there
        body = _without_attachments(data, attachments)
    head = b"4%d%d-" % (_BINARY_KINDS[kind], len(attachments)) if attachments else _HEADS[kind]
    if namespace != DEFAULT:
        head += namespace.encode() + b","
    if number is not None:
        head += b"%d" % number
    return [head + body, *attachments]


def _without_attachments(data: Any, attachments: list[bytes]) -> bytes:
    """The JSON of `data` with a placeholder for each binary value, which goes to `attachments`."""

    def take_out(value: Any) -> dict[str, Any]:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{type(value).__name__} cannot be sent over Socket.IO")
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}

    return orjson.dumps(data, default=take_out)
