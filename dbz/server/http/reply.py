"""Answers, and the rules of every answer: conditional GET, `fields`, compression, streaming."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from dbz.server.http.errors import ApiError
from dbz.server.settings import Http

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_CHUNK_BYTES = 64 * 1024
_COMPRESSED_KEPT_BYTES = 16 * 1024 * 1024
_REPEATED_KEPT_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Reply:
    """A JSON answer."""

    data: Any
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Repeated:
    """A JSON answer with status 200 that is made of `parts` alone, and not made again while these are the same."""

    key: Hashable
    """Which answer of its route this is, beside the query: whose, or of what."""
    parts: Any
    """Compared with what the last answer of this key was made of; nobody changes them."""
    make: Callable[[], Any]
    """The data."""


@dataclass(slots=True)
class Raw:
    """An answer that is not JSON; sent as it is, without compression."""

    body: bytes
    media_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 200


@dataclass(slots=True)
class Stream:
    """An answer that comes in parts, each sent as soon as it is there."""

    parts: AsyncIterator[bytes]
    media_type: bytes


def pick(data: Any, fields: frozenset[str]) -> Any:
    """Keep only `fields` of an object, or of each object in its lists; a list's pagination block always stays."""
    if isinstance(data, list):
        return [pick(item, fields) for item in data]
    if not isinstance(data, dict):
        return data
    if "items" in data and isinstance(data["items"], list):
        return {**data, "items": pick(data["items"], fields)}
    return {key: value for key, value in data.items() if key in fields}


class Responder:
    """Turns replies into ASGI messages."""

    def __init__(self, settings: Http) -> None:
        self._settings = settings
        self._cache_control = f"private, max-age={settings.max_age_s}".encode()
        self._compressed: OrderedDict[bytes, bytes] = OrderedDict()
        self._compressed_bytes = 0
        self._repeated: OrderedDict[Hashable, tuple[Any, bytes, bytes]] = OrderedDict()
        self._repeated_bytes = 0

    async def json(self, send: Send, reply: Reply, asked: dict[bytes, bytes], head: bool, cacheable: bool) -> int:
        """Send a JSON reply to a request with the headers `asked`; returns the status sent."""
        body = orjson.dumps(reply.data)
        tag = _tag_of(body) if cacheable and reply.status == 200 else b""
        return await self._json(send, reply.status, body, tag, list(reply.headers), asked, head)

    async def repeated(
        self,
        send: Send,
        reply: Repeated,
        query: Hashable,
        fields: frozenset[str] | None,
        asked: dict[bytes, bytes],
        head: bool,
    ) -> int:
        """Send an answer to this `query` of its route, encoded before if its parts are the same; returns the status."""
        key = (query, reply.key)
        kept = self._repeated.get(key)
        if kept is not None and kept[0] == reply.parts:
            self._repeated.move_to_end(key)
            _, body, tag = kept
        else:
            data = reply.make()
            body = orjson.dumps(data if fields is None else pick(data, fields))
            tag = _tag_of(body)
            self._keep(key, (reply.parts, body, tag))
        return await self._json(send, 200, body, tag, [], asked, head)

    def _keep(self, key: Hashable, made: tuple[Any, bytes, bytes]) -> None:
        before = self._repeated.pop(key, None)
        self._repeated[key] = made
        self._repeated_bytes += len(made[1]) - (len(before[1]) if before else 0)
        while self._repeated_bytes > _REPEATED_KEPT_BYTES:
            self._repeated_bytes -= len(self._repeated.popitem(last=False)[1][1])

    async def _json(
        self, send: Send, status: int, body: bytes, tag: bytes, more: Headers, asked: dict[bytes, bytes], head: bool
    ) -> int:
        """Send encoded JSON; with a `tag` it is conditional and may be kept."""
        headers: Headers = [(b"content-type", b"application/json"), *more]
        if tag:
            headers += [(b"etag", tag), (b"cache-control", self._cache_control)]
            if matches(asked.get(b"if-none-match"), tag):
                return await self._send(send, 304, headers[1:], b"", head=True)
        else:
            headers.append((b"cache-control", b"no-store"))
        headers.append((b"vary", b"accept-encoding, authorization"))
        streamed = len(body) > self._settings.stream_from_bytes  # of the JSON, however small it gets when packed
        if self._compresses(body, asked):
            headers.append((b"content-encoding", b"gzip"))
            body = self._gzip(tag, body)
        return await self._send(send, status, headers, body, head, streamed)

    async def raw(self, send: Send, reply: Raw, asked: dict[bytes, bytes], head: bool) -> int:
        """Send an answer that is not JSON; an `etag` among its headers makes it conditional."""
        headers: Headers = [(b"content-type", reply.media_type), *reply.headers]
        tag = dict(reply.headers).get(b"etag", b"")
        if tag and matches(asked.get(b"if-none-match"), tag):
            return await self._send(send, 304, headers[1:], b"", head=True)
        streamed = len(reply.body) > self._settings.stream_from_bytes
        return await self._send(send, reply.status, headers, reply.body, head, streamed)

    async def stream(self, send: Send, reply: Stream) -> int:
        """Send an answer part by part."""
        headers = [(b"content-type", reply.media_type), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in reply.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return 200

    async def refuse(self, send: Send, error: ApiError, asked: dict[bytes, bytes], head: bool) -> int:
        """Send a refusal, with the headers that belong to its status; returns the status."""
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if error.status == 401:
            headers = ((b"www-authenticate", b"Bearer"),)
        elif error.status == 405:
            headers = ((b"allow", ", ".join(error.details["allow"]).encode()),)
        elif error.status == 408:
            headers = ((b"connection", b"close"),)  # the rest of the body may still be on its way
        elif error.status in (429, 503):
            headers = ((b"retry-after", str(error.details.get("retry_after_s", 1)).encode()),)
        return await self.json(send, Reply(error.body(), error.status, headers), asked, head, False)

    async def _send(
        self, send: Send, status: int, headers: Headers, body: bytes, head: bool, streamed: bool = False
    ) -> int:
        if not streamed and status != 304:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if head:
            body = b""
        if streamed:
            for at in range(0, len(body), _CHUNK_BYTES):
                chunk = body[at : at + _CHUNK_BYTES]
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            body = b""
        await send({"type": "http.response.body", "body": body})
        return status

    def _compresses(self, body: bytes, asked: dict[bytes, bytes]) -> bool:
        return (
            len(body) >= self._settings.compress_from_bytes
            and (accepted := asked.get(b"accept-encoding")) is not None
            and b"x-no-compression" not in asked
            and _accepts_gzip(accepted)
        )

    def _gzip(self, tag: bytes, body: bytes) -> bytes:
        """Compressed `body`; the result is kept under its tag, because many readers get the same bytes."""
        kept = self._compressed.get(tag) if tag else None
        if kept is not None:
            self._compressed.move_to_end(tag)
            return kept
        packed = gzip.compress(body, self._settings.compress_level, mtime=0)
        if tag and len(packed) < _COMPRESSED_KEPT_BYTES // 16:
            self._compressed[tag] = packed
            self._compressed_bytes += len(packed)
            while self._compressed_bytes > _COMPRESSED_KEPT_BYTES:
                self._compressed_bytes -= len(self._compressed.popitem(last=False)[1])
        return packed


def _tag_of(body: bytes) -> bytes:
    return b'W/"' + blake2b(body, digest_size=12).hexdigest().encode() + b'"'


def _accepts_gzip(header: bytes) -> bool:
    for part in header.split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


def matches(header: bytes | None, tag: bytes) -> bool:
    """Whether an If-None-Match header names `tag` (weak comparison, RFC 9110 section 13.1.2)."""
    if header is None:
        return False
    bare = tag.removeprefix(b"W/")
    return any(part.strip().removeprefix(b"W/") in (bare, b"*") for part in header.split(b","))
