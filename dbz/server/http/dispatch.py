"""Finds the route of a request, runs its handler, and measures; plain ASGI, one layer deep."""

from __future__ import annotations

import contextvars
import logging
import os
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.server.http.call import Call, Receive, parse_query
from dbz.server.http.errors import ApiError
from dbz.server.http.reply import Raw, Repeated, Responder, Send, Stream, pick
from dbz.server.http.route import Route
from dbz.server.http.table import RouteTable
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Http
from dbz.server.values.identity import Identity

Authenticate = Callable[[dict[bytes, bytes]], Identity]
Strike = Callable[[str], Awaitable[None]]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
trace_parent: contextvars.ContextVar[str] = contextvars.ContextVar("trace_parent", default="")
"""The `traceparent` header of the request (W3C Trace Context), empty when it has none."""

_log = logging.getLogger(__name__)
_RING = 1000
_ID_BYTES, _IDS_AT_ONCE = 13, 256
_OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_UNROUTED = "unrouted"
_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _random_ids() -> Iterator[str]:
    """Ids of 13 random bytes. The system is asked for many at a time: one by one would be a tenth of a cached list.

    The first are drawn with the first request, so processes that were forked from one have ids of their own.
    """
    while True:
        digits = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex()
        for start in range(0, len(digits), 2 * _ID_BYTES):
            yield digits[start : start + 2 * _ID_BYTES]


_new_ids = _random_ids()


class Answered(NamedTuple):
    """One entry of the ring of response times."""

    endpoint: str
    """The path of the route, with its parameters in braces."""
    method: str
    duration_ms: float
    status: int
    at: float
    """When it was answered, in seconds since 1970."""


class Dispatcher:
    """The ASGI application behind all HTTP routes."""

    def __init__(
        self,
        routes: Iterable[Route],
        settings: Http,
        figures: Figures,
        authenticate: Authenticate,
        strike: Strike | None = None,
    ) -> None:
        """`authenticate` gets the headers of a request and says who asks.

        `strike` gets the path of each route before it answers: what goes wrong on purpose does so there.
        """
        self._strike = strike
        self._settings = settings
        self._figures = figures
        self._authenticate = authenticate
        self._responder = Responder(settings)
        self.recent: deque[Answered] = deque(maxlen=_RING)
        self.routes = tuple(routes)
        self._table = RouteTable(self.routes)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        start = time.perf_counter()
        asked = dict(scope["headers"])
        mark = mark_request(asked)
        method = scope["method"]
        path, status = _UNROUTED, 500

        async def tagged(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", mark.encode()))
            await send(message)

        try:
            methods, parameters = self._table.find(scope["path"])
            path = next(iter(methods.values())).path
            route = self._table.choose(methods, method)
            status = await self._run(route, Call(scope, asked, receive, route.body, self._settings, parameters), tagged)
        except ApiError as error:
            status = await self._responder.refuse(tagged, error, asked, method == "HEAD")
        except (PyMongoError, RedisError, TimeoutError, OSError) as error:
            _log.error("a store failed: %s", error, extra={"route": path})
            away = ApiError(503, "store_unavailable", "a data store does not answer; try again shortly")
            status = await self._responder.refuse(tagged, away, asked, method == "HEAD")
        except Exception:
            _log.exception("request failed", extra={"route": path})
            broken = ApiError(500, "internal", "the server failed; the request id leads to its log")
            status = await self._responder.refuse(tagged, broken, asked, method == "HEAD")
        finally:
            self.measure(path, method, status, time.perf_counter() - start)

    async def _run(self, route: Route, call: Call, send: Send) -> int:
        scope = call.scope
        if not route.public:
            call.reader = self._authenticate(call.headers)
        call.query = parse_query(route.query, scope["query_string"])
        if self._strike is not None:
            await self._strike(route.path)
        reply = await route.handler(call)
        head = scope["method"] == "HEAD"
        if isinstance(reply, Stream):
            return await self._responder.stream(send, reply)
        if isinstance(reply, Raw):
            return await self._responder.raw(send, reply, call.headers, head)
        wanted = getattr(call.query, "fields", None)
        fields = frozenset(wanted.split(",")) if wanted else None
        if isinstance(reply, Repeated):
            query = route.path, scope["query_string"]
            return await self._responder.repeated(send, reply, query, fields, call.headers, head)
        if fields:
            reply.data = pick(reply.data, fields)
        cacheable = route.cacheable and route.method == "GET"
        return await self._responder.json(send, reply, call.headers, head, cacheable)

    def measure(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count an answer on the route `path`."""
        method = method if method in _METHODS else "OTHER"
        self._figures.http_requests.add((method, path, str(status)))
        self._figures.http_durations.observe((path,), seconds)
        self.remember(path, method, status, seconds)

    def remember(self, path: str, method: str, status: int, seconds: float) -> None:
        """Keep an answer among the recent ones; slow ones are logged."""
        duration_ms = seconds * 1000
        self.recent.append(Answered(path, method, duration_ms, status, time.time()))
        if duration_ms > self._settings.slow_ms:
            _log.warning("slow response", extra={"route": path, "method": method, "duration_ms": round(duration_ms, 1)})


def mark_request(asked: dict[bytes, bytes]) -> str:
    """The id of a request with the headers `asked`: its own or a new one; from here on it stands in logs."""
    own = asked.get(b"x-request-id", b"")
    mark = own.decode() if own and _OWN_ID(own) else next(_new_ids)
    request_id.set(mark)
    trace_parent.set(asked.get(b"traceparent", b"").decode("latin-1"))
    return mark
