"""Access logs with one JSON object a line, whatever their parts are called.

Objects within are taken for what they hold: `request` of Caddy, `req` and `res` of pino, `httpRequest` of Google's
balancers, `http.request` of the Elastic Common Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dbz.bring.files.logs.extended import EXTENDED, extended_line
from dbz.bring.files.logs.line import LogLine, time_s, without_port
from dbz.bring.recording import Exchange

_NAMES: Mapping[str, tuple[str, ...]] = {
    "method": (
        "method", "request_method", "http_method", "verb", "requestMethod", "RequestMethod", "httpMethod",
    ),
    "url": (
        "url", "uri", "request_uri", "path", "requestUrl", "request_path", "RequestPath", "requestPath",
        "resourcePath", "originalUrl",
    ),
    "status": ("status", "status_code", "response_code", "statusCode", "DownstreamStatus", "responseCode"),
    "start": ("StartUTC", "StartLocal", "start_time", "requestTimeEpoch", "request_start"),
    "time": (
        "time", "timestamp", "@timestamp", "time_local", "time_iso8601", "ts", "date", "msec", "requestTime",
    ),
    "client": (
        "remote_addr", "client_ip", "clientip", "remote_ip", "ip", "client", "ClientHost", "remoteAddress",
        "remoteIp", "source", "downstream_remote_address",
    ),
    "user": ("remote_user", "user_id", "userId", "user", "username", "ClientUsername"),
    "agent": (
        "http_user_agent", "user_agent", "userAgent", "agent", "request_User-Agent", "User-Agent", "user-agent",
    ),
}  # fmt: skip
"""What JSON logs call the parts of a line, the most usual first. `start` is when a request came, `time` when the line
was written, which is when it was answered."""
_ENVELOPES = ("httpRequest", "request", "response", "req", "res", "http", "meta", "headers")
"""Names of objects whose members are taken for those of the line."""
_DEEPEST = 3
_OF_OBJECT = ("original", "full", "path", "ip", "address", "name", "id")
"""Which member of an object is meant where a text is asked for, as in `url: {original: …}`."""
_TEXTS = ("log", "message", "MESSAGE", "msg", "line", "textPayload")
"""Where those who collect logs put the line itself."""
_UNITS_S = {
    "request_time": 1.0, "duration_ms": 1e-3, "responseTime": 1e-3, "response_time_ms": 1e-3, "Duration": 1e-9,
}  # fmt: skip
"""Durations whose unit their names say, in seconds; such a log has the time of the answer."""
_CADDY = "http.log.access"
_REQUEST = re.compile(r"[A-Z]+ \S")
_MOST_SECONDS = 1e11


def json_line(line: Any) -> LogLine | None:
    """The request of a line; None when it has none. `ValueError` and the like where its values are none of a log."""
    if not isinstance(line, dict):
        return None
    if EXTENDED in line:
        return extended_line(line)
    flat = dict(_members(line))
    url, method, request = _named(flat, "url"), _named(flat, "method"), str(line.get("request") or "")
    if not url and _REQUEST.match(request):
        method, url = request.split(" ")[:2]
    if not url:
        return None
    duration_s, start = _duration_s(flat), _named(flat, "start")
    user = str(_named(flat, "user") or "")
    exchange = Exchange(
        str(method or "GET").upper(),
        str(url),
        status=int(float(_named(flat, "status") or 0)),
        started_s=_seconds(start) if start else max(_seconds(_named(flat, "time")) - duration_s, 0.0),
        duration_s=duration_s,
        source=without_port(str(_named(flat, "client") or "").partition(",")[0]),
    )
    return LogLine(exchange, "" if user == "-" else user, str(_named(flat, "agent") or ""))


def line_within(line: Any) -> str:
    """The text of a line that something which collects logs has put into an object of its own; empty without one."""
    texts = (line.get(name) for name in _TEXTS) if isinstance(line, dict) else ()
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _members(line: Mapping[str, Any], deep: int = 0) -> Iterator[tuple[str, Any]]:
    """Names with their values; those of the objects within last, which go before others of the same name."""
    yield from line.items()
    for name in _ENVELOPES if deep < _DEEPEST else ():
        if isinstance(inner := line.get(name), dict):
            yield from _members(inner, deep + 1)


def _named(line: Mapping[str, Any], part: str) -> Any:
    for name in _NAMES[part]:
        value = line.get(name)
        if isinstance(value, dict):
            value = next((value[key] for key in _OF_OBJECT if value.get(key)), None)
        elif isinstance(value, list):
            value = value[0] if value else None
        if value not in (None, ""):
            return value
    return None


def _duration_s(line: Mapping[str, Any]) -> float:
    for name, unit_s in _UNITS_S.items():
        if line.get(name) not in (None, "", "-"):
            return max(float(line[name]), 0.0) * unit_s
    if str(line.get("logger", "")).startswith(_CADDY) and isinstance(line.get("duration"), int | float):
        return max(float(line["duration"]), 0.0)
    return 0.0


def _seconds(value: Any) -> float:
    """Seconds since 1970 of a number, also of milli-, micro- or nanoseconds, or of a text."""
    if value is None:
        return 0.0
    try:
        number = float(value)
    except (TypeError, ValueError):
        return time_s(str(value))
    if not abs(number) < _MOST_SECONDS * 1e9:
        raise ValueError(f"{number} is no time")
    while number > _MOST_SECONDS:
        number /= 1000
    return number
