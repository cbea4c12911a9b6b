"""Calling services that are not ours, and reading what they answer: nothing of it is trusted."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from dbz.hosts import is_loopback

_LONGEST_S = 86_400.0


def open_http(url: str, timeout_s: float, *, http2: bool = False) -> httpx.AsyncClient:
    """A client for the service at `url`; with `http2` it speaks nothing else, over TLS or without."""
    # What the environment says of proxies is for the way out of this machine.
    local = is_loopback(urlsplit(url).hostname or "")
    return httpx.AsyncClient(
        timeout=timeout_s, follow_redirects=False, trust_env=not local, http2=http2, http1=not http2
    )


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty one for anything else, so that the status decides."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def retry_after_s(header: str | None, default_s: float) -> float:
    """The seconds that a Retry-After asks for (RFC 9110 section 10.2.3), never more than a day."""
    seconds = default_s
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:9])
    elif text:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            seconds = default_s
    return min(max(seconds, 0.0), _LONGEST_S) if math.isfinite(seconds) else default_s
