"""The description of an API that a server serves itself: looked for where frameworks put it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from dbz.errors import UsageError
from dbz.load.target.allowed_hosts import reach
from dbz.masking import masked_url
from dbz.targets.probing import ProbeAnswer, ask

PATHS = ("/openapi.json", "/swagger.json", "/v3/api-docs", "/swagger/v1/swagger.json")
"""Where FastAPI, NestJS and others, Spring and ASP.NET serve it."""
_DEADLINE_S = 5.0
_MARKS = (b'"openapi"', b'"swagger"', b"openapi:", b"swagger:")


@dataclass(frozen=True)
class ServedDescription:
    """What a server answered."""

    url: str
    """Where the description is; the URL that was asked about when there is none."""
    document: bytes = b""


def find_description(url: str) -> ServedDescription:
    """The OpenAPI or Swagger document at a URL, or at one of the usual paths below the root of its server.

    `DependencyError` when nobody answers there; `UsageError` when the URL alone is no request that succeeds.
    """
    reach(url)
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    answer = asyncio.run(ask(base, path, deadline_s=_DEADLINE_S))
    if _describes(answer):
        return ServedDescription(url, answer.body)
    if path == "/":
        for usual, found in zip(PATHS, asyncio.run(_ask_all(base)), strict=True):
            if _describes(found):
                return ServedDescription(base + usual, found.body)
    if not 200 <= answer.status < 400:
        what = f"HTTP {answer.status}" if answer.status else answer.trouble
        looked = f", and serves no description of its API ({', '.join(PATHS)})" if path == "/" else ""
        raise UsageError(
            f"{masked_url(url)} answers {what}{looked}",
            hint="name a URL that can be asked for, or a file: --from",
            code="B005",
        )
    return ServedDescription(url)


async def _ask_all(base: str) -> list[ProbeAnswer]:
    return await asyncio.gather(*(ask(base, path, deadline_s=_DEADLINE_S) for path in PATHS))


def _describes(answer: ProbeAnswer) -> bool:
    return answer.status == 200 and any(mark in answer.body[:4000] for mark in _MARKS)
