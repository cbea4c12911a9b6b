"""Where a service tells of itself: whether it is well, and its figures; at the usual paths, or at others that are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from dbz.targets.probing import DEADLINE_S, ask

HEALTH = "/healthz"
"""What is asked without a word from the user."""
USUAL_HEALTH = (
    "/health",
    "/status",
    "/api/health",
    "/api/status",
    "/healthcheck",
    "/actuator/health",
    "/livez",
    "/ping",
)
"""Where else services tell whether they are well."""
_CALLED = re.compile(r"/(_?health[\w-]*|status|livez|readyz|liveness|alive|ping|up)/?$", re.IGNORECASE)
_MOST_ASKED = 20
_NOT_FOUND = 404
METRICS = "/metrics"
"""Where figures are looked for without a word from the user."""
_OTHER_METRICS = ("/actuator/prometheus", "/q/metrics", "/management/prometheus", "/prometheus", "/api/metrics")
"""Where Spring Boot, Quarkus, JHipster and others have them."""
OF_WATCHERS = frozenset(
    [
        HEALTH,
        METRICS,
        *_OTHER_METRICS,
        "/health",
        "/api/health",
        "/healthcheck",
        "/actuator/health",
        "/livez",
        "/readyz",
    ]
)
"""What only those ask who watch a service: no part of its use."""
_EXPOSITION_MARK = b"# TYPE "


def find_health(target: str, described: Sequence[str] = ()) -> str:
    """The path to be asked instead of `/healthz`: empty where that is there, or where no other one is.

    Of the paths that a service describes, those that are called like one of health; then the usual ones. The first
    that answers with a 2xx is taken. Takes two seconds at most.
    """
    return asyncio.run(_find(target, described))


async def _find(target: str, described: Sequence[str]) -> str:
    if (await ask(target, HEALTH)).status != _NOT_FOUND:
        return ""
    paths = list(dict.fromkeys([*filter(_CALLED.search, described), *USUAL_HEALTH]))[:_MOST_ASKED]
    answers = await asyncio.gather(*(ask(target, path, deadline_s=DEADLINE_S) for path in paths))
    good = (path for path, answer in zip(paths, answers, strict=True) if 200 <= answer.status < 300)
    return next(good, "")


def find_metrics(target: str) -> str:
    """The path to be asked for figures instead of `/metrics`: empty where that is there, or where no other one is."""
    return asyncio.run(_find_metrics(target))


async def _find_metrics(target: str) -> str:
    if (await ask(target, METRICS)).status != _NOT_FOUND:
        return ""
    answers = await asyncio.gather(*(ask(target, path) for path in _OTHER_METRICS))
    found = zip(_OTHER_METRICS, answers, strict=True)
    return next((path for path, answer in found if answer.status == 200 and _EXPOSITION_MARK in answer.body), "")
