"""What of a recording is repeated: requests to one server, without what its pages load and clients do by themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from dbz.bring.recording import Exchange, Recording
from dbz.bring.sockets import is_polling
from dbz.units import counted

_STATIC = re.compile(
    r"\.(js|mjs|css|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|eot|mp4|webm|txt|webmanifest)$", re.IGNORECASE
)
_STATIC_TYPES = ("image/", "font/", "text/css", "application/javascript", "text/javascript", "video/", "audio/")
REDIRECTS = (301, 302, 303, 307, 308)
"""Statuses with which clients go elsewhere by themselves."""


@dataclass(frozen=True)
class Choice:
    """What of a recording becomes part of a scenario."""

    target: str = ""
    """The server whose requests are wanted, as scheme and host; empty for the one that has most of them."""
    statics: bool = False
    """Whether pictures, scripts and styles are asked for as well."""


def wanted(recording: Recording, choice: Choice) -> tuple[list[Exchange], str, list[str]]:
    """The exchanges that a scenario repeats, the server they go to, and what was left out, in words."""
    candidates = [exchange for exchange in recording.exchanges if is_candidate(exchange)]
    kept = [exchange for exchange in candidates if choice.statics or not is_static(exchange)]
    origins = Counter(exchange.origin for exchange in kept if exchange.origin)
    sockets = (urlsplit(socket.url) for socket in recording.sockets)
    fallback = next((f"{'https' if one.scheme == 'wss' else 'http'}://{one.netloc}" for one in sockets), "")
    origin = main_origin(origins, choice) or fallback
    others = Counter(urlsplit(exchange.url).netloc for exchange in kept if exchange.origin not in ("", origin))
    notes = []
    if len(kept) < len(candidates):
        notes.append(
            f"{len(candidates) - len(kept)} requests for pictures, scripts and styles are left out (--statics)"
        )
    if others:
        hosts = ", ".join(host for host, _ in others.most_common(3))
        notes.append(f"{sum(others.values())} requests to other servers are left out: {hosts}")
    chosen = [exchange for exchange in kept if exchange.origin in ("", origin)]
    failed = Counter(exchange.status for exchange in chosen if exchange.failed)
    if failed:
        statuses = ", ".join(str(status) for status, _ in failed.most_common(3))
        notes.append(
            f"{counted(failed.total(), 'request')} had failed when recorded ({statuses}): a run counts these "
            "answers as failures too"
        )
    return chosen, origin, notes


def main_origin(origins: Counter[str], choice: Choice) -> str:
    """The server that is meant, of those that were asked so often; empty when none is named.

    A target that nobody asked means that the recording was made on another machine: its main server is what is meant.
    """
    target = choice.target.rstrip("/")
    return target if target in origins else origins.most_common(1)[0][0] if origins else ""


def without_followed(exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
    """The exchanges without those that only follow a redirect: clients follow by themselves.

    The request that was redirected gets the last answer, as the client of a scenario does.
    """
    waiting: dict[str, Exchange] = {}  # by source: redirected, and to be followed
    for exchange in sorted(exchanges, key=lambda one: one.started_s):
        first = waiting.pop(exchange.source, None)
        if first is not None and _leads_to(first, exchange):
            cookies = [field for field in first.answer_headers if field[0] == "set-cookie"]
            headers = [*cookies, *exchange.answer_headers]
            exchange = replace(first, status=exchange.status, answer_headers=headers, answer=exchange.answer)
        elif first is not None:
            yield first
        if exchange.status in REDIRECTS and exchange.answer_header("location"):
            waiting[exchange.source] = exchange
        else:
            yield exchange
    yield from waiting.values()


def _leads_to(first: Exchange, then: Exchange) -> bool:
    return urljoin(first.url, first.answer_header("location")).partition("#")[0] == then.url.partition("#")[0]


def is_candidate(exchange: Exchange) -> bool:
    """Whether a request may be repeated: no preflight, and no part of a Socket.IO connection."""
    return exchange.url.startswith(("http", "/")) and not is_polling(exchange) and not _is_preflight(exchange)


def _is_preflight(exchange: Exchange) -> bool:
    return exchange.method == "OPTIONS" and bool(exchange.header("access-control-request-method"))


def is_static(exchange: Exchange) -> bool:
    """Whether it asks for a picture, a script or a style."""
    kind = exchange.answer_header("content-type") or exchange.answer.media_type
    return exchange.method == "GET" and (bool(_STATIC.search(exchange.path)) or kind.startswith(_STATIC_TYPES))
