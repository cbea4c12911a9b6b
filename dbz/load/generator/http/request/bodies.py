"""What a scenario gives as `data`, `json` and `files` (or `params`), and the bytes that it becomes, as in requests."""

from __future__ import annotations

import json as standard_json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from requests.models import RequestEncodingMixin

from dbz.load.generator.net.faults import BadRequest

_FORM = "application/x-www-form-urlencoded"


class RequestBody(NamedTuple):
    """The body of a request."""

    content: bytes = b""
    content_type: str = ""
    """Empty when the scenario must say what it is."""
    chunked: bool = False
    """Whether `content` is in chunks already: its size was not known beforehand."""


NO_BODY = RequestBody()


def encode_body(json: Any, data: Any, files: Any = None) -> RequestBody:
    """The body that a request's options ask for. `files` go before `data` before `json`; empty `data` is none.

    Raises `TypeError` or `ValueError` for what cannot be sent, as requests does.
    """
    if files:
        if isinstance(data, bytes | str):
            raise ValueError("data must not be text or bytes beside files: give its fields as a mapping")
        content, content_type = RequestEncodingMixin._encode_files(files, data)
        return RequestBody(content, content_type)
    if data:
        return _encode_data(data)
    if json is not None:
        return RequestBody(encode_json(json), "application/json")
    return NO_BODY if data is None or isinstance(data, bytes | str | list | tuple | Mapping) else _encode_data(data)


def encode_json(value: Any) -> bytes:
    """JSON; the standard library's for what the faster one refuses: numbers of any size, keys that are no text.

    `BadRequest` for numbers that JSON does not have.
    """
    try:
        content = orjson.dumps(value)
    except TypeError:
        try:
            return standard_json.dumps(value, allow_nan=False).encode("utf-8")
        except ValueError as error:
            raise BadRequest(f"json: {error}") from None
    if b"null" in content and not _is_finite(value):  # the faster one writes null for these
        raise BadRequest("json: NaN and infinity are no JSON")
    return content


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list | tuple) else True


def encode_params(params: Any) -> str:
    """The query that `params` ask for: text as it is; of mappings and pairs, None is left out and lists repeat."""
    if isinstance(params, bytes):
        return params.decode("utf-8")
    return str(RequestEncodingMixin._encode_params(params)) if params else ""


def _encode_data(data: Any) -> RequestBody:
    if isinstance(data, str):
        return RequestBody(data.encode("utf-8"))
    if isinstance(data, bytes | bytearray | memoryview):
        return RequestBody(bytes(data))
    if hasattr(data, "read"):
        content = data.read()
        return RequestBody(content.encode("utf-8") if isinstance(content, str) else bytes(content))
    if isinstance(data, Mapping | list | tuple):
        return RequestBody(str(RequestEncodingMixin._encode_params(data)).encode("ascii"), _FORM)
    if isinstance(data, Iterable):
        return RequestBody(b"".join(_chunks(data)), chunked=True)
    raise TypeError(f"data cannot be {type(data).__name__}: give bytes, text, a mapping, pairs, a file or an iterable")


def _chunks(pieces: Iterable[bytes | str]) -> Iterable[bytes]:
    for piece in pieces:
        content = piece.encode("utf-8") if isinstance(piece, str) else piece
        if content:
            yield b"%x\r\n%b\r\n" % (len(content), content)
    yield b"0\r\n\r\n"
