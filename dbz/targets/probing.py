"""Asking a server something without trusting it: whatever it sends, the answer is there in time, and small."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import httptools

DEADLINE_S = 0.9
"""For connecting, sending and all of the answer together."""
MOST_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class ProbeAnswer:
    """What a server answered."""

    status: int
    """The HTTP status; 0 when there was no whole answer."""
    body: bytes = b""
    trouble: str = ""
    """Why there was no whole answer."""
    location: str = ""
    """Where it says that the answer is, if it says so."""
    reached: bool = True
    """Whether there was a connection over which to ask."""


class _Parser:
    """Collects the parts of one answer; its methods are the callbacks of httptools."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.location = self.encoding = ""
        self.headed = self.complete = False
        self.until_the_end = True
        """Whether only the end of the connection ends the body."""

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.until_the_end &= name not in (b"content-length", b"transfer-encoding")
        if name == b"location":
            self.location = value.decode(errors="replace")
        if name == b"content-encoding":
            self.encoding = value.decode(errors="replace").strip().lower()

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


_HOPS = 3
_REDIRECTS = (301, 302, 303, 307, 308)


def address_of(base_url: str, place: str) -> str:
    """The URL that a place means: itself, or for a path what is there below a base URL."""
    return f"{base_url.rstrip('/')}{place}" if place.startswith("/") else place


async def ask_url(url: str, *, deadline_s: float = DEADLINE_S, most_bytes: int = MOST_BYTES) -> ProbeAnswer:
    """GET a URL, as `ask` does."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return await ask(f"{parts.scheme}://{parts.netloc}", path, deadline_s=deadline_s, most_bytes=most_bytes)


async def follow(url: str, *, deadline_s: float = DEADLINE_S) -> tuple[ProbeAnswer, str]:
    """GET a URL and what it redirects to on the same host: the answer, and the URL that gave it.

    Frameworks redirect `/metrics` to `/metrics/`; what is elsewhere was not asked for.
    """
    try:
        async with asyncio.timeout(deadline_s):
            for _ in range(_HOPS):
                answer = await ask_url(url, deadline_s=deadline_s)
                there = urljoin(url, answer.location) if answer.location else ""
                if answer.status not in _REDIRECTS or urlsplit(there).hostname != urlsplit(url).hostname:
                    break
                url = there
    except TimeoutError:
        return ProbeAnswer(0, trouble=f"no whole answer within {deadline_s:g} s"), url
    except ValueError as error:  # it redirects to what is no URL
        return ProbeAnswer(0, trouble=str(error)), url
    return answer, url


async def ask(base_url: str, path: str, *, deadline_s: float = DEADLINE_S, most_bytes: int = MOST_BYTES) -> ProbeAnswer:
    """GET a path below a base URL. Never raises but for a cancellation, and never takes longer than `deadline_s`.

    A certificate is not verified: what is asked is whether the server answers, and nothing secret is told it.
    """
    reached = False
    try:
        async with asyncio.timeout(deadline_s):
            reader, writer = await _connect(base_url)
            reached = True
            return await _ask(reader, writer, _question(base_url, path), most_bytes)
    except TimeoutError:
        return ProbeAnswer(0, trouble=f"no whole answer within {deadline_s:g} s", reached=reached)
    except Exception as error:  # whatever a hostile server brings about: the caller goes on asking
        return ProbeAnswer(0, trouble=str(error) or type(error).__name__, reached=reached)


async def _connect(base_url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(base_url)
    tls = ssl._create_unverified_context() if parts.scheme == "https" else None  # noqa: S323
    return await asyncio.open_connection(parts.hostname, parts.port or (443 if tls else 80), ssl=tls)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes, most_bytes: int
) -> ProbeAnswer:
    try:
        writer.write(question)
        parser = _Parser()
        response = httptools.HttpResponseParser(parser)
        while not parser.complete:
            part = await reader.read(_CHUNK_BYTES)
            if not part:
                break
            response.feed_data(part)
            if len(parser.body) > most_bytes:
                return ProbeAnswer(0, trouble=f"the answer is longer than {most_bytes:,} bytes")
        if parser.complete or (parser.headed and parser.until_the_end):
            body = _unpacked(bytes(parser.body), parser.encoding, most_bytes)
            return ProbeAnswer(response.get_status_code(), body, location=parser.location)
        return ProbeAnswer(0, trouble="the connection was closed before the end of the answer")
    finally:
        writer.transport.abort()  # a polite end would wait for a server that may never answer


def _unpacked(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """A body that a server, or a proxy, has packed although nobody asked it to; as it came where that cannot be undone,
    since the status is an answer too. `ValueError` when it is longer than the limit."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, whichever it is
    try:
        whole = unpacking.decompress(body, most_bytes + 1)
    except zlib.error:
        return body
    if len(whole) > most_bytes:
        raise ValueError(f"the answer is longer than {most_bytes:,} bytes")
    return whole


def _question(base_url: str, path: str) -> bytes:
    parts = urlsplit(base_url)
    fields: Mapping[str, str] = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "dbz",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        fields = {**fields, "Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {parts.path.rstrip('/')}{path} HTTP/1.1\r\n{head}\r\n".encode()
