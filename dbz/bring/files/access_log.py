"""Access logs: the common and combined formats, JSON lines, and those of AWS's Application Load Balancer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from dbz.bring.recording import Exchange, Recording
from dbz.errors import UsageError

_COMMON = re.compile(
    r'(?P<host>\S+) \S+ (?P<user>.+?) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<url>\S+)(?: HTTP/[\d.]+)?" '
    r'(?P<status>\d{3}) (?:\d+|-)(?: "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)")?'
)
_COMMON_TIME = "%d/%b/%Y:%H:%M:%S %z"
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_ALB_KINDS = ("http", "https", "h2", "grpcs", "ws", "wss")
_ALB_FIELDS = 12
_QUOTED_OR_NOT = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_NAMES: Mapping[str, tuple[str, ...]] = {
    "method": ("method", "request_method", "http_method", "verb", "requestMethod"),
    "url": ("url", "uri", "request_uri", "path", "requestUrl", "request_path"),
    "status": ("status", "status_code", "response_code", "statusCode"),
    "time": ("time", "timestamp", "@timestamp", "time_local", "time_iso8601", "ts", "date", "msec"),
    "client": ("remote_addr", "client_ip", "clientip", "remote_ip", "ip", "client"),
    "user": ("remote_user", "user_id", "userId", "user", "username"),
    "agent": ("http_user_agent", "user_agent", "userAgent", "agent"),
}
"""What JSON logs call the parts of a line, the most usual first."""
_ENDS_AFTER_S = {"request_time": 1.0, "duration_ms": 0.001}
"""Durations whose unit their names say, in seconds; such a log has the time of the answer."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, and whose it is."""

    exchange: Exchange
    user: str = ""
    """Who was signed in, as the log calls them; empty where it does not say."""
    agent: str = ""
    """The program that asked, as it calls itself."""

    @property
    def visitor(self) -> str:
        """What tells visitors apart: the user, or else the address with the program."""
        return f"user {self.user}" if self.user else f"{self.exchange.source} {self.agent}"


def read_access_log(lines: Iterable[str], source: str) -> Recording:
    """The requests of a log, in the order of their times; `UsageError` when no line is of a known format.

    Clients, as far as the log tells them apart, are sources.
    """
    recording, broken = Recording(recorded=False), 0
    for line in lines:
        if not line.strip():
            continue
        read = parse_line(line.strip())
        if read is None:
            broken += 1
        else:
            recording.exchanges.append(read.exchange)
    if not recording.exchanges:
        raise UsageError(
            f"{source}: no line is of a known access log (known: common, combined, JSON lines, ALB)", code="B001"
        )
    if broken:
        recording.notes.append(
            f"{source}: {broken} of {broken + len(recording.exchanges)} lines cannot be read, and are left out"
        )
    return recording


def parse_line(line: str) -> LogLine | None:
    """One line without space at its ends; None when it is of no known format, or its method is none."""
    read = _parsed(line)
    return read if read is not None and _METHOD.fullmatch(read.exchange.method) else None


def _parsed(line: str) -> LogLine | None:
    try:
        if line.startswith("{"):
            return _from_json(orjson.loads(line))
        if line.split(" ", 1)[0] in _ALB_KINDS:
            return _from_alb([quoted or plain for quoted, plain in _QUOTED_OR_NOT.findall(line)])
        match = _COMMON.match(line)
        if match is None:
            return None
        started_s, user = _common_time_s(match["time"]), match["user"]
        exchange = Exchange(
            match["method"], match["url"], status=int(match["status"]), started_s=started_s, source=match["host"]
        )
        return LogLine(exchange, "" if user == "-" else user, match["agent"] or "")
    except (ValueError, KeyError, TypeError, IndexError):
        return None


@lru_cache(4096)
def _common_time_s(text: str) -> float:
    """Lines beside each other are mostly of the same second."""
    return datetime.strptime(text, _COMMON_TIME).timestamp()


def _from_alb(fields: list[str]) -> LogLine | None:
    """Fields as AWS documents them: type, time, elb, client:port, target:port, three durations, two status codes, …"""
    if len(fields) <= _ALB_FIELDS:
        return None
    method, url, *_ = fields[12].split(" ")
    waits = [float(field) for field in fields[5:8]]
    duration_s = sum(wait for wait in waits if wait > 0)
    time_s = datetime.fromisoformat(fields[1]).timestamp() - duration_s  # the log has the time of the answer
    status = int(fields[8]) if fields[8].isdigit() else 0
    client = fields[3].rpartition(":")[0]
    exchange = Exchange(method, url, status=status, started_s=time_s, duration_s=duration_s, source=client)
    return LogLine(exchange, agent=fields[13] if len(fields) > _ALB_FIELDS + 1 else "")


def _from_json(line: dict[str, Any]) -> LogLine | None:
    flat = {**line, **(line.get("httpRequest") or {}), **(line.get("request") or {})} if _nested(line) else line
    url = _named(flat, "url")
    method = _named(flat, "method")
    request = str(flat.get("request") or "")
    if not url and re.match(r"[A-Z]+ \S", request):
        method, url = request.split(" ")[:2]
    if not url:
        return None
    client, user = str(_named(flat, "client") or ""), str(_named(flat, "user") or "")
    status = int(float(_named(flat, "status") or 0))
    time_s, duration_s = _seconds(_named(flat, "time")), _duration_s(flat)
    started_s = time_s - duration_s if time_s else 0.0
    exchange = Exchange(
        str(method or "GET").upper(), str(url),
        status=status, started_s=started_s, duration_s=duration_s, source=client,
    )  # fmt: skip
    return LogLine(exchange, "" if user == "-" else user, str(_named(flat, "agent") or ""))


def _duration_s(line: Mapping[str, Any]) -> float:
    for name, unit_s in _ENDS_AFTER_S.items():
        if line.get(name) not in (None, "", "-"):
            return max(float(line[name]), 0.0) * unit_s
    return 0.0


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
