"""Content codings of HTTP bodies, with bounded memory: gzip, deflate, and br and zstd where their libraries are.

A body that ends before its coding does is never taken for a whole one. What follows the end of a coding (zeros that
fill up a block, a signature) harms nobody and is passed over, as browsers do.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from dbz.load.generator.net.faults import BodyTooLarge, MalformedResponse

_ANY_HEADER = 32 + zlib.MAX_WBITS
"""Lets zlib find out by itself whether there is a gzip or a zlib header."""
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_STEP_BYTES = 1024
"""How much is given to a decompressor at once that cannot bound what it makes of it."""
_LARGEST_WINDOW_BYTES = 1 << 27


class Decoder(Protocol):
    """Undoes one coding, piece by piece."""

    def feed(self, data: bytes, limit: int) -> bytes:
        """What a piece means; stops soon after more than `limit` bytes."""

    @property
    def complete(self) -> bool:
        """Whether the coding has come to its end."""


def decompress(body: bytes, codings: str, limit_bytes: int) -> bytes:
    """The body without its content codings (a Content-Encoding field); unknown ones are left as they are.

    Raises `MalformedResponse` when the body is not what it claims to be, `BodyTooLarge` above `limit_bytes`.
    """
    for coding in _undone_in_order(codings):
        decoder = _DECODERS[coding]()
        try:
            body = decoder.feed(body, limit_bytes)
        except _ERRORS as error:
            raise MalformedResponse(f"the body is not {coding}: {error}") from error
        if len(body) > limit_bytes:
            raise BodyTooLarge(f"more than {limit_bytes:,} bytes when decompressed")
        if not decoder.complete:
            raise MalformedResponse(f"the body is not {coding}: it is cut off")
    return body


def decompressed(pieces: Iterable[bytes], codings: str, limit_bytes: int) -> Iterator[bytes]:
    """As `decompress`, piece by piece; no piece may become larger than `limit_bytes`."""
    for coding in _undone_in_order(codings):
        pieces = _decoded(pieces, coding, limit_bytes)
    yield from pieces


def accepted_codings() -> str:
    """The value of an Accept-Encoding field."""
    return ", ".join(coding for coding in ("gzip", "deflate", "br", "zstd") if coding in _DECODERS)


def _undone_in_order(codings: str) -> list[str]:
    """The codings from the outermost on, up to one that is not known."""
    known = []
    for part in reversed(codings.split(",")):
        coding = part.strip().lower()
        if coding in ("", "identity"):
            continue
        if coding not in _DECODERS:
            break
        known.append(coding)
    return known


def _decoded(pieces: Iterable[bytes], coding: str, limit_bytes: int) -> Iterator[bytes]:
    decoder = _DECODERS[coding]()
    begun = False
    for piece in pieces:
        begun = begun or bool(piece)
        try:
            plain = decoder.feed(piece, limit_bytes)
        except _ERRORS as error:
            raise MalformedResponse(f"the body is not {coding}: {error}") from error
        if len(plain) > limit_bytes:
            raise BodyTooLarge(f"more than {limit_bytes:,} bytes when decompressed")
        if plain:
            yield plain
    if begun and not decoder.complete:
        raise MalformedResponse(f"the body is not {coding}: it is cut off")


class _Gzip:
    """All members of a gzip body, or a deflate body with its zlib header."""

    def __init__(self) -> None:
        self._member: Any = zlib.decompressobj(_ANY_HEADER)
        self._after = b""

    @property
    def complete(self) -> bool:
        return self._member is None or self._member.eof

    def feed(self, data: bytes, limit: int) -> bytes:
        plain = b""
        while data and self._member is not None and len(plain) <= limit:
            if self._member.eof:
                data = self._after + data
                if len(data) < len(_GZIP_MAGIC) and _GZIP_MAGIC.startswith(data):
                    self._after = data
                    break
                # Another member, or padding: only what begins like a member can be one that was cut off.
                self._member = zlib.decompressobj(_ANY_HEADER) if data.startswith(_GZIP_MAGIC) else None
                self._after = b""
            else:
                plain += self._member.decompress(data, limit + 1 - len(plain))
                data = self._member.unused_data
        return plain


class _Deflate:
    """A deflate body. Some servers leave out the zlib header that the standard asks for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_ANY_HEADER)
        self._begun: bytes | None = b""

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, limit: int) -> bytes:
        if self._stream.eof:
            return b""
        if self._begun is None:
            return self._stream.decompress(data, limit + 1)
        self._begun += data
        try:
            plain = self._stream.decompress(data, limit + 1)
        except zlib.error:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            plain, self._begun = self._stream.decompress(self._begun, limit + 1), None
        if plain:
            self._begun = None
        return plain


class _Brotli:
    """A br body."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._stream = library.Decompressor()
        self._begun = False

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes, limit: int) -> bytes:
        if self.complete or not data:
            return b""
        first, self._begun = not self._begun, True
        try:
            return self._process(data, limit)
        except self._library.error:
            if not first:
                raise
            return self._up_to_its_end(data, limit)

    def _process(self, data: bytes, limit: int) -> bytes:
        plain = [self._stream.process(data, output_buffer_limit=limit + 1)]
        size = len(plain[0])
        while size <= limit and not self._stream.is_finished():
            plain.append(self._stream.process(b"", output_buffer_limit=limit + 1 - size))
            if not plain[-1]:
                break
            size += len(plain[-1])
        return b"".join(plain)

    def _up_to_its_end(self, data: bytes, limit: int) -> bytes:
        """What `data` means up to the end of the stream; raises the library's error when there is no end in it.

        The library fails on what follows the end and does not say where that was, so it is looked for: in steps, and
        in the step that failed byte by byte.
        """
        self._stream, sound, plain = self._library.Decompressor(), 0, b""
        try:
            while sound < len(data) and not self.complete and len(plain) <= limit:
                plain += self._process(data[sound : sound + _STEP_BYTES], limit)
                sound += _STEP_BYTES
            return plain
        except self._library.error:
            self._stream = self._library.Decompressor()
        plain = self._process(data[:sound], limit)
        while not self.complete:
            plain += self._process(data[sound : sound + 1], limit)
            sound += 1
        return plain


class _Zstd:
    """All frames of a zstd body."""

    def __init__(self, library: Any) -> None:
        self._decompressor = library.ZstdDecompressor(max_window_size=_LARGEST_WINDOW_BYTES)
        self._frame: Any = self._decompressor.decompressobj()
        self._after = b""

    @property
    def complete(self) -> bool:
        return self._frame is None or bool(self._frame.eof)

    def feed(self, data: bytes, limit: int) -> bytes:
        plain, position = bytearray(), 0
        while position < len(data) and self._frame is not None and len(plain) <= limit:
            if self._frame.eof:
                data, position = self._after + data[position:], 0
                if len(data) < len(_ZSTD_MAGIC) and _ZSTD_MAGIC.startswith(data):
                    self._after = data
                    break
                self._frame = self._decompressor.decompressobj() if data.startswith(_ZSTD_MAGIC) else None
                self._after = b""
            else:
                step = data[position : position + _STEP_BYTES]
                plain += self._frame.decompress(step)
                position += len(step) - len(self._frame.unused_data)
        return bytes(plain)


def _optional(name: str) -> Any | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_DECODERS: dict[str, Callable[[], Decoder]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}
_ERRORS: tuple[type[Exception], ...] = (zlib.error,)

if (_brotli := _optional("brotli")) is not None and hasattr(_brotli.Decompressor, "can_accept_more_data"):
    _DECODERS["br"] = lambda: _Brotli(_brotli)
    _ERRORS = (*_ERRORS, _brotli.error)
if (_zstandard := _optional("zstandard")) is not None:
    _DECODERS["zstd"] = lambda: _Zstd(_zstandard)
    _ERRORS = (*_ERRORS, _zstandard.ZstdError)
