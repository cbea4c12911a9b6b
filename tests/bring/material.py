"""Recordings for tests: HAR documents as browsers write them, made of few words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

ORIGIN = "http://127.0.0.1:8080"


def entry(
    method: str,
    path: str,
    answer: Any = None,
    *,
    at_s: float = 0.0,
    status: int = 200,
    sent: Any = None,
    headers: Mapping[str, str] | None = None,
    answer_headers: Sequence[tuple[str, str]] = (),
    media_type: str = "application/json",
) -> dict[str, Any]:
    """One entry of a HAR; bodies are given as JSON trees, or as texts."""
    request: dict[str, Any] = {
        "method": method,
        "url": path if "://" in path else ORIGIN + path,
        "headers": [{"name": name, "value": value} for name, value in (headers or {}).items()],
    }
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(sent)}
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return {
        "startedDateTime": f"2026-01-31T12:{int(at_s) // 60:02}:{at_s % 60:06.3f}Z",
        "time": 12.5,
        "request": request,
        "response": {
            "status": status,
            "headers": [{"name": name, "value": value} for name, value in answer_headers],
            "content": {"mimeType": media_type, "text": text},
        },
    }


def har(*entries: dict[str, Any], creator: str = "WebInspector") -> dict[str, Any]:
    """A HAR document."""
    return {"log": {"version": "1.2", "creator": {"name": creator, "version": "1"}, "entries": list(entries)}}
