"""One request, as its handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ValidationError

from dbz.server.http.errors import ApiError
from dbz.server.http.models import Body, Query
from dbz.server.settings import Http
from dbz.server.values.identity import Identity

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_MAX_QUERY_BYTES = 4096
_MAX_PARAMETERS = 50
_DISCARDED = 8


class Call:
    """A request with a valid query string; `reader` is who asks (routes that are public have none)."""

    __slots__ = (
        "_body_limit",
        "_body_model",
        "_body_timeout_s",
        "_reader",
        "_receive",
        "headers",
        "path",
        "query",
        "scope",
    )

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        headers: dict[bytes, bytes],
        receive: Receive,
        body_model: type[Body] | None,
        limits: Http,
        path: dict[str, str],
    ) -> None:
        """`path` are the parameters in the path."""
        self.scope = scope
        self.headers = headers
        self.path = path
        self.query: Any = None
        self._receive = receive
        self._reader: Identity | None = None
        self._body_model = body_model
        self._body_limit = limits.max_body_bytes
        self._body_timeout_s = limits.body_timeout_s

    @property
    def reader(self) -> Identity:
        """Who asks."""
        assert self._reader is not None, "a public route has no reader"
        return self._reader

    @reader.setter
    def reader(self, identity: Identity) -> None:
        self._reader = identity

    async def body(self) -> Any:
        """The JSON body (none counts as {}), validated against its model; refuses with 400, 408, 413 or 422."""
        assert self._body_model is not None, "this route has no body"
        try:
            data = orjson.loads(await self.read(self._body_limit, self._body_timeout_s) or b"{}")
        except orjson.JSONDecodeError as error:
            raise ApiError(400, "malformed_json", f"the body is not JSON: {error}") from None
        try:
            return self._body_model.model_validate(data)
        except ValidationError as error:
            raise _invalid(error, "body") from None

    async def read(self, limit_bytes: int, within_s: float) -> bytes:
        """The body as it came; refuses with 400 when it is cut off, 408 or 413 beyond the limits."""
        try:
            async with asyncio.timeout(within_s):
                return await self._read(limit_bytes)
        except TimeoutError:
            message = f"the body of a request must come within {within_s:g} s"
            raise ApiError(408, "body_too_slow", message) from None

    async def _read(self, limit_bytes: int) -> bytes:
        body, size, more = bytearray(), 0, True
        # What is too much is read and dropped up to a bound: a client that is cut off while it writes gets no answer.
        while more and size <= limit_bytes * _DISCARDED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ApiError(400, "incomplete", "the request ended before its body was complete")
            part = message.get("body", b"")
            size += len(part)
            if size <= limit_bytes:
                body += part
            more = message.get("more_body", False)
        if size > limit_bytes:
            raise ApiError(413, "too_large", f"a request body has at most {limit_bytes} bytes")
        return bytes(body)


def parse_query(model: type[Query], query: bytes) -> Any:
    """The query string as an instance of `model`; refuses with 422 (414 when it is absurdly long)."""
    if len(query) > _MAX_QUERY_BYTES:
        raise ApiError(414, "query_too_long", f"a query string has at most {_MAX_QUERY_BYTES} bytes")
    return _parse_query(model, query)


@lru_cache(maxsize=2048)
def _parse_query(model: type[Query], query: bytes) -> BaseModel:
    try:
        pairs = parse_qsl(
            query.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict"
        )
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        raise _invalid(error, "query") from None
    except ValueError:
        raise ApiError(422, "invalid_query", "the query string is not UTF-8, or has too many parameters") from None


def _invalid(error: ValidationError, part: str) -> ApiError:
    problems = [
        {"where": ".".join((part, *map(str, item["loc"]))), "what": item["msg"]} for item in error.errors()[:20]
    ]
    return ApiError(422, f"invalid_{part}", f"the {part} is not valid", problems=problems)
