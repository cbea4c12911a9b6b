"""Access logs: the common and combined formats, JSON lines, and those of AWS's Application Load Balancer."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from dbz.bring.recording import Exchange, Recording
from dbz.errors import UsageError

_COMMON = re.compile(
    r'(?P<host>\S+) \S+ (?P<user>.+?) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<url>\S+)(?: HTTP/[\d.]+)?" '
    r"(?P<status>\d{3}) (?:\d+|-)"
)
_COMMON_TIME = "%d/%b/%Y:%H:%M:%S %z"
_ALB_KINDS = ("http", "https", "h2", "grpcs", "ws", "wss")
_ALB_FIELDS = 12
_NAMES: Mapping[str, tuple[str, ...]] = {
    "method": ("method", "request_method", "http_method", "verb", "requestMethod"),
    "url": ("url", "uri", "request_uri", "path", "requestUrl", "request_path"),
    "status": ("status", "status_code", "response_code", "statusCode"),
    "time": ("time", "timestamp", "@timestamp", "time_local", "time_iso8601", "ts", "date", "msec"),
    "duration": ("request_time", "duration", "duration_ms", "responseTime", "latency", "took"),
    "client": ("remote_addr", "client_ip", "clientip", "remote_ip", "ip", "client"),
}
"""What JSON logs call the parts of a line, the most usual first."""


def read_access_log(lines: Iterable[str], source: str) -> Recording:
    """The requests of a log, in the order of their times; `UsageError` when no line is of a known format.

    Clients, as far as the log tells them apart, are sources.
    """
    recording, broken = Recording(recorded=False), 0
    for line in lines:
        if not line.strip():
            continue
        exchange = _parse(line.strip())
        if exchange is None:
            broken += 1
        else:
            recording.exchanges.append(exchange)
    if not recording.exchanges:
        raise UsageError(
            f"{source}: no line is of a known access log (known: common, combined, JSON lines, ALB)", code="B001"
        )
    if broken:
        recording.notes.append(
            f"{source}: {broken} of {broken + len(recording.exchanges)} lines cannot be read, and are left out"
        )
    return recording


def _parse(line: str) -> Exchange | None:
    """The request of one line; None when it is of no known format."""
    try:
        if line.startswith("{"):
            return _from_json(orjson.loads(line))
        if line.split(" ", 1)[0] in _ALB_KINDS:
            return _from_alb(shlex.split(line))
        match = _COMMON.match(line)
        if match is None:
            return None
        time_s = datetime.strptime(match["time"], _COMMON_TIME).timestamp()
        status, client = int(match["status"]), match["host"]
        return Exchange(match["method"], match["url"], status=status, started_s=time_s, source=client)
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _from_alb(fields: list[str]) -> Exchange | None:
    """Fields as AWS documents them: type, time, elb, client:port, target:port, three durations, two status codes, …"""
    if len(fields) <= _ALB_FIELDS:
        return None
    method, url, *_ = fields[12].split(" ")
    waits = [float(field) for field in fields[5:8]]
    duration_s = sum(wait for wait in waits if wait > 0)
    time_s = datetime.fromisoformat(fields[1]).timestamp() - duration_s  # the log has the time of the answer
    status = int(fields[8]) if fields[8].isdigit() else 0
    client = fields[3].rpartition(":")[0]
    return Exchange(method, url, status=status, started_s=time_s, duration_s=duration_s, source=client)


def _from_json(line: dict[str, Any]) -> Exchange | None:
    flat = {**line, **(line.get("httpRequest") or {}), **(line.get("request") or {})} if _nested(line) else line
    url = _named(flat, "url")
    method = _named(flat, "method")
    request = str(flat.get("request") or "")
    if not url and re.match(r"[A-Z]+ \S", request):
        method, url = request.split(" ")[:2]
    if not url:
        return None
    client = str(_named(flat, "client") or "")
    status = int(float(_named(flat, "status") or 0))
    started_s = _seconds(_named(flat, "time"))
    return Exchange(str(method or "GET").upper(), str(url), status=status, started_s=started_s, source=client)


def _nested(line: dict[str, Any]) -> bool:
    return isinstance(line.get("httpRequest"), dict) or isinstance(line.get("request"), dict)


def _named(line: Mapping[str, Any], part: str) -> Any:
    return next((line[name] for name in _NAMES[part] if line.get(name) not in (None, "")), None)


def _seconds(value: Any) -> float:
    """Seconds since 1970 of a number (also of milliseconds) or a text."""
    if value is None:
        return 0.0
    try:
        number = float(value)
        return number / 1000 if number > 1e11 else number
    except (TypeError, ValueError):
        pass
    text = str(value)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return datetime.strptime(text, _COMMON_TIME).timestamp()
