"""Finds the route of a request, runs its handler, and measures; plain ASGI, one layer deep."""

from __future__ import annotations

import contextvars
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.routing import compile_path

from dbz.server.http.call import Call, Receive, parse_query
from dbz.server.http.errors import ApiError
from dbz.server.http.reply import Raw, Reply, Responder, Send, pick
from dbz.server.http.route import Route
from dbz.server.identity import Identity
from dbz.server.ids import new_id
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Http

Authenticate = Callable[[bytes | None], Identity]
Strike = Callable[[str], Awaitable[None]]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

_log = logging.getLogger(__name__)
_RING = 1000
_OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_UNROUTED = "unrouted"


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
        """`strike` gets the path of each route before it answers: what goes wrong on purpose does so there."""
        self._strike = strike
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        self._settings = settings
        self._figures = figures
        self._authenticate = authenticate
        self._responder = Responder(settings)
        self.recent: deque[Answered] = deque(maxlen=_RING)
        self.routes = tuple(routes)
        self._index()

    def _index(self) -> None:
        by_path: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((compile_path(path)[0], methods))
            else:
                self._exact[path] = methods

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        start = time.perf_counter()
        asked = dict(scope["headers"])
        own = asked.get(b"x-request-id", b"")
        mark = own.decode() if _OWN_ID(own) else new_id()
        request_id.set(mark)
        method = scope["method"]
        path, status = _UNROUTED, 500

        async def tagged(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", mark.encode()))
            await send(message)

        try:
            methods, parameters = self._find(scope["path"])
            path = next(iter(methods.values())).path
            status = await self._run(self._choose(methods, method), parameters, scope, receive, tagged)
        except ApiError as error:
            status = await self._refuse(error, tagged, asked, method == "HEAD")
        except (PyMongoError, RedisError, TimeoutError, OSError) as error:
            _log.error("a store failed: %s", error, extra={"route": path})
            away = ApiError(503, "store_unavailable", "a data store does not answer; try again shortly")
            status = await self._refuse(away, tagged, asked, method == "HEAD")
        except Exception:
            _log.exception("request failed", extra={"route": path})
            broken = ApiError(500, "internal", "the server failed; the request id leads to its log")
            status = await self._refuse(broken, tagged, asked, method == "HEAD")
        finally:
            self._measure(path, method, status, time.perf_counter() - start)

    def _find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for pattern, methods in self._patterns:
            match = pattern.match(path)
            if match:
                return methods, match.groupdict()
        raise ApiError(404, "not_found", "there is no such resource")

    def _choose(self, methods: dict[str, Route], method: str) -> Route:
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise ApiError(
                405, "method_not_allowed", f"allowed here: {', '.join(sorted(methods))}", allow=sorted(methods)
            )
        return route

    async def _run(
        self, route: Route, parameters: dict[str, str], scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> int:
        call = Call(scope, receive, route.body, self._settings)
        call.path = parameters
        if not route.public:
            call.reader = self._authenticate(call.headers.get(b"authorization"))
        call.query = parse_query(route.query, scope["query_string"])
        if self._strike is not None:
            await self._strike(route.path)
        reply = await route.handler(call)
        head = scope["method"] == "HEAD"
        if isinstance(reply, Raw):
            return await self._responder.raw(send, reply, call.headers, head)
        fields = getattr(call.query, "fields", None)
        if fields:
            reply.data = pick(reply.data, frozenset(fields.split(",")))
        cacheable = route.cacheable and route.method == "GET"
        return await self._responder.json(send, reply, call.headers, head, cacheable)

    async def _refuse(self, error: ApiError, send: Send, asked: dict[bytes, bytes], head: bool) -> int:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if error.status == 401:
            headers = ((b"www-authenticate", b"Bearer"),)
        elif error.status == 405:
            headers = ((b"allow", ", ".join(error.details["allow"]).encode()),)
        elif error.status == 408:
            headers = ((b"connection", b"close"),)  # the rest of the body may still be on its way
        elif error.status in (429, 503):
            headers = ((b"retry-after", str(error.details.get("retry_after_s", 1)).encode()),)
        return await self._responder.json(send, Reply(error.body(), error.status, headers), asked, head, False)

    def _measure(self, path: str, method: str, status: int, seconds: float) -> None:
        method = method if method in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS") else "OTHER"
        self._figures.http_requests.add((method, path, str(status)))
        self._figures.http_durations.observe((path,), seconds)
        duration_ms = seconds * 1000
        self.recent.append(Answered(path, method, duration_ms, status, time.time()))
        if duration_ms > self._settings.slow_ms:
            _log.warning("slow response", extra={"route": path, "method": method, "duration_ms": round(duration_ms, 1)})
