"""HTTP calls of providers, bounded in time and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from dbz.server.outside import json_object
from dbz.server.push.provider import ProviderAwayError

_MOST_BYTES = 64 * 1024


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
            return response.status_code, response.headers, json_object(bytes(answer))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        problem = type(error).__name__
    raise ProviderAwayError(f"no answer ({problem})")
