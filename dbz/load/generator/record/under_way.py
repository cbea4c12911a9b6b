"""Which requests are under way in this process: what is not answered would otherwise leave no trace until it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

OLD_S = 1.0
"""Requests of at least this age are recorded each second."""

under_way: dict[int, tuple[str, float]] = {}
"""Operation and start (monotonic clock) of each request, by the identity of what will hold its answer.

One dictionary for the process: it costs two operations for each request, and clients need not know of a run.
"""


def ages() -> list[tuple[str, float]]:
    """Operation and age in seconds of each request that is under way now."""
    now_s = time.monotonic()
    return [(operation, now_s - started_s) for operation, started_s in list(under_way.values())]


def watch_locust_clients() -> None:
    """Let Locust's own clients, which report a request only when it has ended, say when one begins."""
    from locust.clients import HttpSession  # not above: our own client needs this module in unpatched processes too
    from locust.contrib.fasthttp import FastHttpSession

    for client in (HttpSession, FastHttpSession):
        if not hasattr(client.request, "__wrapped__"):
            client.request = _watched(client.request)


def _watched(request: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(request)
    def watched(session: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        key = object()
        under_way[id(key)] = (f"{method.upper()} {options.get('name') or url}", time.monotonic())
        try:
            return request(session, method, url, *args, **options)
        finally:
            del under_way[id(key)]

    return watched
