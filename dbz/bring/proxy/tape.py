"""What passed through a proxy, within limits, and the HAR that it becomes: as Chrome writes it, sockets included."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import dbz

MAX_BODY_BYTES = 2 * 2**20
"""A longer body passes, and is not kept."""
MAX_KEPT_BYTES = 256 * 2**20
"""When so much is kept of one recording, further bodies and messages pass without being kept."""
MAX_ENTRIES = 100_000
_TEXT = ("text/", "json", "javascript", "xml", "x-www-form-urlencoded", "graphql")
_TEXT_OPCODE, _BINARY_OPCODE = 1, 2


@dataclass
class KeptBody:
    """The body of a message as it passes by."""

    tape: Tape
    data: bytearray = field(default_factory=bytearray)
    size: int = 0
    """Of the whole body as it was sent, in bytes."""
    left_out: bool = False

    def add(self, part: bytes) -> None:
        """Keep a part, unless the whole is too much."""
        self.size += len(part)
        if self.left_out or self.size > MAX_BODY_BYTES or not self.tape.has_room(len(part)):
            self.left_out = True
            self.data.clear()
        else:
            self.data += part


@dataclass
class TapeEntry:
    """One request with its answer, or one socket with its messages."""

    method: str
    url: str
    """As the server is addressed, not the proxy."""
    headers: Sequence[tuple[str, str]]
    body: KeptBody
    answer: KeptBody
    started_s: float = field(default_factory=time.time)
    """Like the other times in seconds since 1970."""
    headed_s: float = 0.0
    """When the head of the answer was there; 0 when it never was."""
    ended_s: float = 0.0
    status: int = 0
    answer_headers: Sequence[tuple[str, str]] = ()
    messages: list[dict[str, Any]] | None = None
    """Of a socket, in the form of the HAR."""

    def message(self, *, sent: bool, data: str | bytes) -> None:
        """A message of the socket passed."""
        binary = isinstance(data, bytes)
        size = len(data)
        if self.messages is None or size > MAX_BODY_BYTES or not self.body.tape.has_room(size):
            self.body.tape.left_out += 1
            return
        self.messages.append({
            "type": "send" if sent else "receive",
            "time": time.time(),
            "opcode": _BINARY_OPCODE if binary else _TEXT_OPCODE,
            "data": base64.b64encode(data).decode() if isinstance(data, bytes) else data,
        })  # fmt: skip


class Tape:
    """The recording of one user."""

    def __init__(self) -> None:
        self.entries: list[TapeEntry] = []
        self.kept_bytes = 0
        self.left_out = 0
        """Messages, and whole exchanges, that were too much."""
        self.failed = 0
        """Requests that the server did not answer."""

    def has_room(self, size: int) -> bool:
        """Count so many bytes more; False when they are too much."""
        if self.kept_bytes + size > MAX_KEPT_BYTES:
            return False
        self.kept_bytes += size
        return True

    def begin(self, method: str, url: str, headers: Sequence[tuple[str, str]], *, socket: bool = False) -> TapeEntry:
        """A request begins; it is part of the recording once it has an answer."""
        entry = TapeEntry(method, url, headers, KeptBody(self), KeptBody(self), messages=[] if socket else None)
        if len(self.entries) < MAX_ENTRIES:
            self.entries.append(entry)
        else:
            self.left_out += 1
        return entry

    def har(self) -> dict[str, Any]:
        """The recording as HAR 1.2; what is still under way is in it as far as it has come."""
        answered = sorted((entry for entry in self.entries if entry.status), key=lambda entry: entry.started_s)
        return {
            "log": {
                "version": "1.2",
                "creator": {"name": "dbz", "version": dbz.__version__},
                "pages": [],
                "entries": [_entry(entry) for entry in answered],
            }
        }

    @property
    def notes(self) -> list[str]:
        """What is not in the recording, for people."""
        notes = []
        bodies = sum(entry.body.left_out + entry.answer.left_out for entry in self.entries)
        if bodies:
            notes.append(f"{bodies} bodies were too large to be kept (more than {MAX_BODY_BYTES // 2**20} MB)")
        if self.left_out:
            notes.append(f"{self.left_out} exchanges or messages were more than a recording holds")
        if self.failed:
            notes.append(f"{self.failed} requests were not answered by the server, and are not in the recording")
        return notes


def _entry(entry: TapeEntry) -> dict[str, Any]:
    ended_s = entry.ended_s or time.time()
    headed_s = entry.headed_s or ended_s
    document: dict[str, Any] = {
        "startedDateTime": datetime.fromtimestamp(entry.started_s, UTC).isoformat(timespec="milliseconds"),
        "time": (ended_s - entry.started_s) * 1000,
        "request": {
            "method": entry.method,
            "url": entry.url,
            "httpVersion": "HTTP/1.1",
            "headers": _fields(entry.headers),
            "queryString": _fields(parse_qsl(urlsplit(entry.url).query, keep_blank_values=True)),
            "cookies": [],
            "headersSize": -1,
            "bodySize": entry.body.size,
        },
        "response": {
            "status": entry.status,
            "statusText": _phrase(entry.status),
            "httpVersion": "HTTP/1.1",
            "headers": _fields(entry.answer_headers),
            "cookies": [],
            "content": _content(entry),
            "redirectURL": _header(entry.answer_headers, "location"),
            "headersSize": -1,
            "bodySize": entry.answer.size,
        },
        "cache": {},
        "timings": {
            "send": 0,
            "wait": (headed_s - entry.started_s) * 1000,
            "receive": max(ended_s - headed_s, 0) * 1000,
        },
    }
    if entry.body.data:
        document["request"]["postData"] = _posted(entry)
    if entry.messages is not None:
        document |= {"_resourceType": "websocket", "_webSocketMessages": entry.messages}
    return document


def _posted(entry: TapeEntry) -> dict[str, Any]:
    kind = _header(entry.headers, "content-type")
    data = decoded(bytes(entry.body.data), _header(entry.headers, "content-encoding"))
    if kind.startswith("multipart/"):
        return {"mimeType": kind, "params": _parts(data)}
    text = _as_text(data, kind)
    return {"mimeType": kind, **({"text": text} if text is not None else _base64(data))}


def _parts(data: bytes) -> list[dict[str, str]]:
    """The parts of a multipart body by name: the values of fields, and the names of files without their contents."""
    from email import message_from_bytes

    boundary = data[2:].partition(b"\r\n")[0].decode("latin-1")
    message = message_from_bytes(f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode() + data)
    params = []
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            content, file = part.get_payload(decode=True), part.get_filename()
            value = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            params.append({"name": name, **({"fileName": file} if file else {"value": value})})
    return params


def _content(entry: TapeEntry) -> dict[str, Any]:
    kind = _header(entry.answer_headers, "content-type")
    content: dict[str, Any] = {"size": entry.answer.size, "mimeType": kind}
    if entry.answer.left_out:
        return {**content, "comment": "not kept: too large"}
    if not entry.answer.data:
        return content
    data = decoded(bytes(entry.answer.data), _header(entry.answer_headers, "content-encoding"))
    text = _as_text(data, kind)
    return {**content, "size": len(data), **({"text": text} if text is not None else _base64(data))}


def decoded(data: bytes, coding: str) -> bytes:
    """A body without its coding, which is gzip or deflate; one that is cut off as far as it goes."""
    if coding.lower() not in ("gzip", "deflate"):
        return data
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(data, 8 * MAX_BODY_BYTES)
        except zlib.error:
            continue
    return data


def _as_text(data: bytes, kind: str) -> str | None:
    if kind and not any(mark in kind.lower() for mark in _TEXT):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _base64(data: bytes) -> dict[str, str]:
    return {"text": base64.b64encode(data).decode(), "encoding": "base64"}


def _fields(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _header(fields: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in fields if key.lower() == name), "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
