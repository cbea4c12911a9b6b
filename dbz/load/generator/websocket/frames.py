"""WebSocket frames (RFC 6455, section 5): cutting a byte stream into messages, and encoding what is sent."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from dbz.load.generator.net.faults import MalformedFrame, MessageTooLarge
from dbz.load.generator.websocket.deflate import Inflater

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
COMPRESSED = 0x40
"""The bit of a frame's first byte that marks a compressed message (RFC 7692, section 6)."""
_FIN, _OPCODE, _RESERVED = 0x80, 0x0F, 0x30
_LONGEST_CONTROL = 125

Message = tuple[int, bytes]
"""Opcode and payload."""

_PLAIN_TEXT = _FIN | TEXT
_MEMO_SIZE, _MEMO_LONGEST_BYTES = 512, 8192
_memo: dict[bytes, list[Message]] = {}
"""What is in the bytes of one whole text frame. A room's members all get the same: frames of servers have no mask."""


class FrameReader:
    """Cuts a byte stream into messages; fragmented ones are put together, compressed ones inflated."""

    __slots__ = ("_fragments", "_inflater", "_max_bytes", "_missing", "_opcode", "_pieces", "_size")

    def __init__(self, max_bytes: int, inflater: Inflater | None = None) -> None:
        self._max_bytes = max_bytes
        self._inflater = inflater
        self._pieces: list[bytes] | None = None
        self._missing = 0
        self._fragments: list[bytes] | None = None
        self._opcode = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now; raises `MalformedFrame` or `MessageTooLarge`."""
        if self._pieces is None and self._fragments is None:
            known = _memo.get(data)
            if known is not None:
                return known
            # One short text, as most answers are: nothing to put together, and no mask, for its length is below 126.
            size = len(data) - 2
            if 0 <= size <= _LONGEST_CONTROL and data[1] == size <= self._max_bytes and data[0] == _PLAIN_TEXT:
                return [(TEXT, data[2:])]
        return self._cut(data)

    def _cut(self, data: bytes) -> list[Message]:
        if self._pieces is not None:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data, self._pieces = b"".join(self._pieces), None
        messages: list[Message] = []
        position, size = 0, len(data)
        while position < size:
            start, end = self._extent(data, position, size)
            if end > size:
                self._pieces, self._missing = [data[position:]], end - size
                break
            self._frame(data[position], data[start:end], messages)
            if end - position == size <= _MEMO_LONGEST_BYTES and data[0] == _PLAIN_TEXT:
                _remember(data, messages)
            position = end
        return messages

    def _extent(self, data: bytes, position: int, size: int) -> tuple[int, int]:
        """Where the payload of the frame at `position` begins and ends; an end beyond `size` is a lower bound."""
        start = position + 2
        if start > size:
            return start, start
        length = data[position + 1]
        if length > 127:
            raise MalformedFrame("a masked frame from the server")
        if length > 125:
            wide = 2 if length == 126 else 8
            if start + wide > size:
                return start, start + wide
            length, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        if length > self._max_bytes:
            raise MessageTooLarge(f"a message of {length:,} bytes, {self._max_bytes:,} allowed")
        return start, start + length

    def _frame(self, first: int, payload: bytes, messages: list[Message]) -> None:
        opcode = first & _OPCODE
        if first & _RESERVED or (first & COMPRESSED and (self._inflater is None or opcode not in (TEXT, BINARY))):
            raise MalformedFrame("a frame with an extension that was not agreed on")
        if opcode in (CLOSE, PING, PONG):
            if not first & _FIN or len(payload) > _LONGEST_CONTROL:
                raise MalformedFrame("a control frame that is too long or in fragments")
            messages.append((opcode, payload))
        elif opcode > BINARY:
            raise MalformedFrame(f"a frame of the unknown kind {opcode}")
        elif (opcode == CONTINUATION) == (self._fragments is None):
            raise MalformedFrame("fragments of messages in a wrong order")
        elif first & _FIN and self._fragments is None:
            messages.append((opcode, self._plain(first, payload)))
        else:
            self._fragment(first, payload, messages)

    def _fragment(self, first: int, payload: bytes, messages: list[Message]) -> None:
        if self._fragments is None:
            self._fragments, self._opcode, self._size = [], first & ~_FIN, 0
        self._fragments.append(payload)
        self._size += len(payload)
        if self._size > self._max_bytes:
            raise MessageTooLarge(f"a message of more than {self._max_bytes:,} bytes in fragments")
        if first & _FIN:
            whole, self._fragments = b"".join(self._fragments), None
            messages.append((self._opcode & _OPCODE, self._plain(self._opcode, whole)))

    def _plain(self, first: int, payload: bytes) -> bytes:
        if not first & COMPRESSED or self._inflater is None:
            return payload
        try:
            return self._inflater.inflate(payload, self._max_bytes)
        except ValueError as error:
            raise MalformedFrame(f"a message that cannot be decompressed: {error}") from error
        except OverflowError as error:
            raise MessageTooLarge(f"more than {self._max_bytes:,} bytes when decompressed") from error


def _remember(data: bytes, messages: list[Message]) -> None:
    if len(_memo) >= _MEMO_SIZE:
        _memo.clear()
    _memo[data] = messages


def _masks() -> Iterator[bytes]:
    """Unpredictable masks, as RFC 6455 wants them; a system call for each would cost as much as the rest of a frame."""
    while True:
        pool = os.urandom(4096)
        yield from (pool[place : place + 4] for place in range(0, len(pool), 4))


_mask = _masks().__next__


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One final frame, masked as clients must; the opcode may carry `COMPRESSED`."""
    length = len(payload)
    mask = _mask()
    if length < 126:
        head = struct.pack(">BB4s", _FIN | opcode, 0x80 | length, mask)
    elif length < 65536:
        head = struct.pack(">BBH4s", _FIN | opcode, 0x80 | 126, length, mask)
    else:
        head = struct.pack(">BBQ4s", _FIN | opcode, 0x80 | 127, length, mask)
    whole = (mask * (length // 4 + 1))[:length]
    return head + (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(length, "big")
