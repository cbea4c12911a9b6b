"""HTTP calls of providers, bounded in time and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from dbz.hosts import is_loopback
from dbz.server.push.provider import ProviderAwayError

_MOST_BYTES = 64 * 1024


def open_http(url: str, timeout_s: float, *, http2: bool = False) -> httpx.AsyncClient:
    """A client for one provider; with `http2` it speaks nothing else, over TLS or without."""
    # What the environment says of proxies is for the way out of this machine.
    local = is_loopback(urlsplit(url).hostname or "")
    return httpx.AsyncClient(
        timeout=timeout_s, follow_redirects=False, trust_env=not local, http2=http2, http1=not http2
    )


async def ask(
    http: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, httpx.Headers, dict[str, Any]]:
    """Status, headers and JSON object of the answer to a POST, an empty one for anything else.

    `ProviderAwayError` without its cause, which may hold a URL, and that a token.
    """
    try:
        async with http.stream("POST", url, headers=headers, content=body) as response:
            answer = bytearray()
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > _MOST_BYTES:
                    break
            return response.status_code, response.headers, _object(bytes(answer))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        problem = type(error).__name__
    raise ProviderAwayError(f"no answer ({problem})")


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
