"""Logs: one JSON object a line on standard error, with the id of the request that they belong to."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson

from dbz.server.http.dispatch import request_id
from dbz.server.values.clock import iso, utc_now

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLogFormatter(logging.Formatter):
    """Formats a record as {time, level, logger, message, request_id, …extra}."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": iso(utc_now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logs(level: str) -> None:
    """Send all logs of this process, the ASGI server's included, through `JsonLogFormatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLogFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Not for their noise alone: httpx logs whole URLs, and Band wants its access token in them.
    for noisy in ("pymongo", "engineio", "socketio", "asyncio", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
