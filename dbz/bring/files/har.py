"""HAR 1.2 files, as Chrome, Firefox, Playwright and proxies write them; with WebSocket messages where there are any.

Chrome and Playwright keep the messages of a WebSocket in `_webSocketMessages` of its entry; Firefox keeps none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dbz.bring.files.multipart import parts_of
from dbz.bring.recording import (
    FORM,
    MULTIPART,
    TEXT,
    Exchange,
    MessageBody,
    RecordedSocket,
    Recording,
    SocketMessage,
    body_of,
)
from dbz.errors import UsageError

_TEXT_OPCODE = 1
_BINARY_OPCODE = 2
_LATEST_SECONDS = 1e11
_HTTP = re.compile(r"https?://|/", re.IGNORECASE)
"""What is asked of a server: browsers keep `data:`, `blob:` and pages of extensions as well."""


def read_har(document: Any, source: str) -> Recording:
    """The requests and sockets of a HAR document; `UsageError` says what is wrong with it.

    A file is the session of one user, unless Playwright wrote it: there each page is a tab of its own.
    """
    entries = _entries(document)
    recording, broken, cached, foreign, silent = Recording(), 0, 0, 0, 0
    creator = document["log"].get("creator") or {}
    tabs = isinstance(creator, dict) and creator.get("name") == "Playwright"
    for entry in entries:
        try:
            owner = f"{source}#{entry.get('pageref')}" if tabs else source
            if entry.get("_webSocketMessages") is not None or entry["request"]["url"].startswith("ws"):
                recording.sockets.append(_socket(entry, owner))
            elif entry["request"]["method"] == "CONNECT" or not _HTTP.match(entry["request"]["url"]):
                foreign += 1
            elif entry.get("_fromCache"):
                cached += 1
            else:
                exchange = _exchange(entry, owner)
                recording.exchanges.append(exchange)
                silent += not exchange.status
        except (KeyError, TypeError, ValueError, AttributeError):
            broken += 1
    if broken:
        recording.notes.append(f"{source}: {broken} of {len(entries)} entries are not as HAR 1.2 says, and left out")
    if cached:
        recording.notes.append(f"{source}: {cached} answers came from the browser's cache, and are left out")
    if foreign:
        recording.notes.append(
            f"{source}: {foreign} entries are no requests of HTTP (data:, blob:, CONNECT), and left out"
        )
    if silent:
        recording.notes.append(
            f"{source}: {silent} requests had no answer when they were recorded; one is expected now"
        )
    return recording


def _entries(document: Any) -> list[dict[str, Any]]:
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise UsageError("no HAR: it has no log.entries", code="B001")
    return [entry for entry in entries if isinstance(entry, dict)]


def _time_of(entry: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(entry.get("startedDateTime"))).timestamp()
    except ValueError:
        return 0.0


def _seconds(value: Any) -> float:
    """Seconds since 1970; Chrome writes seconds, Playwright milliseconds."""
    number = float(value)
    return number / 1000 if number > _LATEST_SECONDS else number


def _exchange(entry: dict[str, Any], source: str) -> Exchange:
    request, response = entry["request"], entry.get("response") or {}
    return Exchange(
        method=str(request["method"]).upper(),
        url=str(request["url"]),
        headers=_headers(request),
        body=_sent_body(request.get("postData") or {}),
        status=max(int(response.get("status") or 0), 0),
        answer_headers=_headers(response),
        answer=_received_body(response.get("content") or {}),
        started_s=_time_of(entry),
        duration_s=max(float(entry.get("time") or 0.0), 0.0) / 1000,
        source=source,
    )


def _headers(message: dict[str, Any]) -> list[tuple[str, str]]:
    named = ((str(field["name"]).lower(), str(field["value"])) for field in message.get("headers") or [])
    return [(name, value) for name, value in named if not name.startswith(":")]


def _sent_body(data: dict[str, Any]) -> MessageBody:
    media_type, pairs = str(data.get("mimeType") or ""), list(_pairs(data.get("params") or []))
    text = data.get("text")
    if media_type.startswith("multipart/"):
        raw = _decoded(text, data.get("encoding")) if isinstance(text, str) else ""
        return MessageBody(MULTIPART, pairs or list(parts_of(raw, media_type)), "multipart/form-data")
    if not text and pairs:
        return MessageBody(FORM, pairs, "application/x-www-form-urlencoded")
    raw = _decoded(text, data.get("encoding")) if text else ""
    if isinstance(raw, bytes) and "\ufffd" in raw.decode("utf-8", "replace"):
        return MessageBody(TEXT, raw, media_type.partition(";")[0].strip().lower())
    return body_of(raw, media_type)


def _pairs(parameters: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        yield str(parameter["name"]), str(parameter.get("fileName") or parameter.get("value") or "")


def _received_body(content: dict[str, Any]) -> MessageBody:
    text, media_type = content.get("text"), str(content.get("mimeType") or "")
    if not isinstance(text, str) or media_type.startswith(("image/", "video/", "audio/", "font/")):
        return MessageBody()
    return body_of(_decoded(text, content.get("encoding")), media_type)


def _decoded(text: str, encoding: Any) -> str | bytes:
    if encoding != "base64":
        return text
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text


def _socket(entry: dict[str, Any], source: str) -> RecordedSocket:
    """The messages of a socket; their times are seconds since 1970."""
    messages = []
    for message in entry.get("_webSocketMessages") or []:
        data = message.get("data", "")
        if message.get("opcode") == _BINARY_OPCODE:
            data = _decoded(data, "base64")
        elif message.get("opcode", _TEXT_OPCODE) != _TEXT_OPCODE:
            continue  # pings and closes are the protocol's own
        messages.append(SocketMessage(_seconds(message["time"]), message["type"] == "send", data))
    request = entry["request"]
    return RecordedSocket(str(request["url"]), messages, _time_of(entry), source, _headers(request))
