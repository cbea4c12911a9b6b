"""Content codings of HTTP bodies, with bounded memory: gzip, deflate, and br and zstd where their libraries are."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any

from dbz.load.generator.net.faults import BodyTooLarge, MalformedResponse

_ANY_HEADER = 32 + zlib.MAX_WBITS
"""Lets zlib find out by itself whether there is a gzip or a zlib header."""

Decoder = Callable[[bytes, int], bytes]
"""Takes a body and the largest size allowed; gives at most one byte more than that."""


def decompress(body: bytes, codings: str, limit_bytes: int) -> bytes:
    """The body without its content codings (a Content-Encoding field); unknown ones are left as they are.

    Raises `MalformedResponse` when the body is not what it claims to be, `BodyTooLarge` above `limit_bytes`.
    """
    for coding in reversed([part.strip().lower() for part in codings.split(",")]):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            return body
        try:
            body = decoder(body, limit_bytes)
        except _ERRORS as error:
            raise MalformedResponse(f"the body is not {coding}: {error}") from error
        if len(body) > limit_bytes:
            raise BodyTooLarge(f"more than {limit_bytes:,} bytes when decompressed")
    return body


def accepted_codings() -> str:
    """The value of an Accept-Encoding field."""
    return ", ".join(coding for coding in ("gzip", "deflate", "br", "zstd") if coding in _DECODERS)


def _gunzip(body: bytes, limit: int) -> bytes:
    """All members of a gzip body, or a deflate body with or without its zlib header."""
    plain = b""
    while body and len(plain) <= limit:
        inflate = zlib.decompressobj(_ANY_HEADER)
        plain += inflate.decompress(body, limit + 1 - len(plain))
        if not inflate.eof and len(plain) <= limit:
            raise zlib.error("it is cut off")
        body = inflate.unused_data
    return plain


def _inflate(body: bytes, limit: int) -> bytes:
    try:
        return _gunzip(body, limit)
    except zlib.error:
        # Some servers send "deflate" without the zlib header that the standard asks for.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, limit + 1)


def _optional(name: str) -> Any | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _brotli(library: Any) -> Decoder:
    def decode(body: bytes, limit: int) -> bytes:
        decoder = library.Decompressor()
        plain = [decoder.process(body, output_buffer_limit=limit + 1)]
        size = len(plain[0])
        while size <= limit and not decoder.is_finished():
            plain.append(decoder.process(b"", output_buffer_limit=limit + 1 - size))
            if not plain[-1]:
                raise zlib.error("it is cut off")
            size += len(plain[-1])
        return b"".join(plain)

    return decode


def _zstd(library: Any) -> Decoder:
    def decode(body: bytes, limit: int) -> bytes:
        with library.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body, read_across_frames=True) as reader:
            plain = bytes(reader.read(limit + 1))
        if not plain and body:
            raise zlib.error("it is cut off")
        return plain

    return decode


_DECODERS: dict[str, Decoder] = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _inflate}
_ERRORS: tuple[type[Exception], ...] = (zlib.error,)

if (_library := _optional("brotli")) is not None and hasattr(_library.Decompressor, "can_accept_more_data"):
    _DECODERS["br"] = _brotli(_library)
    _ERRORS = (*_ERRORS, _library.error)
if (_library := _optional("zstandard")) is not None:
    _DECODERS["zstd"] = _zstd(_library)
    _ERRORS = (*_ERRORS, _library.ZstdError)
