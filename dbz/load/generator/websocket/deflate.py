"""Compressed WebSocket messages: the extension permessage-deflate (RFC 7692).

What is offered is what browsers offer. A server that agrees may keep its dictionary from message to message; this side
never does, because a compressor of each member would cost more memory than all else of it.
"""

from __future__ import annotations

import zlib

from dbz.load.generator.net.faults import HandshakeRefused

OFFER = "permessage-deflate; client_max_window_bits"
_TAIL = b"\x00\x00\xff\xff"  # RFC 7692, section 7.2.1: the end of each message, which is not sent
_SMALLEST_BYTES = 1024
_LEVEL = 1
_SMALLEST_WINDOW_BITS = 9  # zlib cannot make raw deflate streams with 8


class Inflater:
    """Decompresses the messages of one connection."""

    __slots__ = ("_context", "_keeps_context")

    def __init__(self, keeps_context: bool) -> None:
        self._keeps_context = keeps_context
        self._context: zlib._Decompress | None = None

    def inflate(self, payload: bytes, max_bytes: int) -> bytes:
        """The plain message; `ValueError` when it is no deflate stream, `OverflowError` when it is too large."""
        context = self._context or zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            plain = context.decompress(payload + _TAIL, max_bytes + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if len(plain) > max_bytes:
            raise OverflowError
        self._context = context if self._keeps_context and not context.eof else None
        return plain


class Deflater:
    """Compresses messages from 1 KB up, each by itself."""

    __slots__ = ("_window_bits",)

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits

    def deflate(self, payload: bytes) -> bytes | None:
        """The compressed message, or None when it is better sent as it is."""
        if len(payload) < _SMALLEST_BYTES or self._window_bits < _SMALLEST_WINDOW_BITS:
            return None
        context = zlib.compressobj(_LEVEL, zlib.DEFLATED, -self._window_bits)
        packed = context.compress(payload) + context.flush(zlib.Z_SYNC_FLUSH)
        return packed.removesuffix(_TAIL)


def agree(answer: str) -> tuple[Inflater | None, Deflater | None]:
    """What the server's `Sec-WebSocket-Extensions` means; (None, None) when it agreed to nothing.

    Raises `HandshakeRefused` for an extension or parameter that was not offered.
    """
    if not answer.strip():
        return None, None
    name, *parameters = [part.strip() for part in answer.split(";")]
    if name != "permessage-deflate":
        raise HandshakeRefused(f"an extension that was not offered: {answer[:80]}")
    values = dict(_parameter(text) for text in parameters)
    known = {"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits"}
    if set(values) - known - {"client_max_window_bits"}:
        raise HandshakeRefused(f"unknown parameters: {answer[:80]}")
    window_bits = values.get("client_max_window_bits", "") or str(zlib.MAX_WBITS)
    if not window_bits.isdecimal() or not 8 <= int(window_bits) <= zlib.MAX_WBITS:
        raise HandshakeRefused(f"a window that does not exist: {answer[:80]}")
    return Inflater("server_no_context_takeover" not in values), Deflater(int(window_bits))


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')
