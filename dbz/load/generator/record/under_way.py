"""Which requests are under way in this process: what is not answered would otherwise leave no trace until it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gevent import GreenletExit

OLD_S = 1.0
"""Requests of at least this age are recorded each second."""

under_way: dict[int, tuple[str, float]] = {}
"""Operation and start (monotonic clock) of each request, by the identity of what will hold its answer.

One dictionary for the process: it costs two operations for each request, and clients need not know of a run.
"""


elsewhere: list[Callable[[], list[tuple[str, float]]]] = []
"""Who else knows of requests that are under way: called for operation and age in seconds of each."""


def ages() -> list[tuple[str, float]]:
    """Operation and age in seconds of each request that is under way now."""
    now_s = time.monotonic()
    own = [(operation, now_s - started_s) for operation, started_s in list(under_way.values())]
    return [*own, *(age for ages_of in elsewhere for age in ages_of())]


def watch_locust_clients(cut_off: Callable[[str, float], None]) -> None:
    """Let Locust's own clients, which report a request only when it has ended, say when one begins.

    `cut_off` gets the operation and the age in seconds of each that the end of the run ended.
    """
    from locust.clients import HttpSession  # not above: our own client needs this module in unpatched processes too
    from locust.contrib.fasthttp import FastHttpSession

    for client in (HttpSession, FastHttpSession):
        request = getattr(client.request, "__wrapped__", client.request)
        client.request = _watched(request, cut_off)


def _watched(request: Callable[..., Any], cut_off: Callable[[str, float], None]) -> Callable[..., Any]:
    @wraps(request)
    def watched(session: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        key, started_s = object(), time.monotonic()
        operation = f"{method.upper()} {options.get('name') or _path(url)}"
        under_way[id(key)] = (operation, started_s)
        try:
            return request(session, method, url, *args, **options)
        except GreenletExit:
            cut_off(operation, time.monotonic() - started_s)
            raise
        finally:
            del under_way[id(key)]

    return watched


def _path(url: str) -> str:
    """What Locust calls a request without a name."""
    parts = urlsplit(url)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))
