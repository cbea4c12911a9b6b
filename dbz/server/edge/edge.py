"""Leads HTTP requests to the services that own their routes; plain ASGI, one layer deep."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from dbz.config.load.services import GATEWAY
from dbz.server.edge.headers import backward, next_trace_parent, onward
from dbz.server.edge.traffic import ClientLimits
from dbz.server.http.call import Receive
from dbz.server.http.dispatch import Authenticate, Dispatcher, mark_request
from dbz.server.http.errors import ApiError, rate_limited
from dbz.server.http.reply import Responder, Send
from dbz.server.http.route import Route
from dbz.server.http.table import RouteTable
from dbz.server.mesh import MeshClient, Signer
from dbz.server.mesh.client import Asked, Rest, ServiceAnswer, ServiceAwayError
from dbz.server.mesh.signing import IDENTITY
from dbz.server.mesh.wire import Fields
from dbz.server.realtime.engine import read_body
from dbz.server.settings import Settings
from dbz.server.values.identity import Identity

_SAFE_IN_PATH = "/:@!$&'()*+,;=-._~%"
_SERVICE = b"x-service"
"""The header of answers that says who gave them."""
_NO_BODY = frozenset({204, 304})
_log = logging.getLogger(__name__)


class Edge:
    """The HTTP side of the gateway. What belongs to no service is answered by `own`."""

    def __init__(
        self,
        routes: Iterable[tuple[str, Route]],
        own: Dispatcher,
        mesh: MeshClient,
        signer: Signer,
        authenticate: Authenticate,
        limits: ClientLimits,
        settings: Settings,
    ) -> None:
        """`routes` are those of the services, each with the name of its service."""
        routes = list(routes)
        self._services = {(route.method, route.path): service for service, route in routes}
        self._table = RouteTable(route for _, route in routes)
        self._own = own
        self._mesh = mesh
        self._signer = signer
        self._authenticate = authenticate
        self._limits = limits
        self._settings = settings
        self._responder = Responder(settings.http)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ServiceAnswer one HTTP request."""
        try:
            methods, _ = self._table.find(scope["path"])
        except ApiError:
            await self._own(scope, receive, send)
            return
        start, asked = time.perf_counter(), dict(scope["headers"])
        mark = mark_request(asked)
        path, method = next(iter(methods.values())).path, scope["method"]
        service = GATEWAY
        try:
            route = self._table.choose(methods, method)
            service = self._services[route.method, route.path]
            answer = await self._forward(service, route, scope, asked, mark, receive)
        except ApiError as error:
            whose = service if isinstance(error, ServiceAwayError) else GATEWAY
            status = await self._responder.refuse(_tagged(send, mark, whose), error, asked, method == "HEAD")
            self._own.measure(path, method, status, time.perf_counter() - start)
            return
        except Exception:
            _log.exception("request failed", extra={"route": path})
            broken = ApiError(500, "internal", "the server failed; the request id leads to its log")
            status = await self._responder.refuse(_tagged(send, mark, GATEWAY), broken, asked, method == "HEAD")
            self._own.measure(path, method, status, time.perf_counter() - start)
            return
        await _hand_back(send, answer, service, method == "HEAD")
        # The service has counted it; here it is only remembered.
        self._own.remember(path, method, answer.status, time.perf_counter() - start)

    async def _forward(
        self,
        service: str,
        route: Route,
        scope: MutableMapping[str, Any],
        asked: dict[bytes, bytes],
        mark: str,
        receive: Receive,
    ) -> ServiceAnswer:
        identity = None if route.public else self._authenticate(asked)
        await self._check_rate(identity, scope)
        headers = onward(scope["headers"], asked)
        headers += _about(scope, asked, mark)
        if identity is not None:
            headers.append((IDENTITY, self._signer.identity(identity).encode()))
        if route.public and service == "auth" and b"authorization" in asked:
            headers.append((b"authorization", asked[b"authorization"]))  # it knows what that is worth
        body = await self._body(route, asked, receive)
        return await self._mesh.call(service, Asked(scope["method"], _target(scope), headers, body))

    async def _check_rate(self, identity: Identity | None, scope: MutableMapping[str, Any]) -> None:
        kind, client = ("client", identity.user_id) if identity else ("anonymous", _address(scope))
        if not await self._limits.allows(kind, client):
            window_s = math.ceil(self._limits.rates[kind].window_s)
            raise rate_limited("too many requests; try again later", window_s)

    async def _body(self, route: Route, asked: dict[bytes, bytes], receive: Receive) -> bytes | None:
        if asked.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in asked:
            return None
        limit, timeout_s = self._settings.http.max_body_bytes, self._settings.http.body_timeout_s
        if route.uploads:
            limit, timeout_s = self._settings.media.max_upload_bytes, self._settings.media.upload_timeout_s
        try:
            return await read_body(receive, limit, timeout_s)
        except TimeoutError:
            message = f"the body of a request must come within {timeout_s:g} s"
            raise ApiError(408, "body_too_slow", message) from None
        except ValueError:
            raise ApiError(413, "too_large", f"a request body has at most {limit} bytes") from None


async def _hand_back(send: Send, answer: ServiceAnswer, service: str, head: bool) -> None:
    """Send an answer of a service; raises when a large one breaks off, which ends the connection."""
    headers, length = backward(answer.headers)
    headers.append((_SERVICE, service.encode()))
    if length is not None and answer.status not in _NO_BODY:
        headers.append((b"content-length", b"%d" % length))  # an answer that came in chunks goes on in chunks
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.rest is None and (head or length is not None):
        await send({"type": "http.response.body", "body": b"" if head else answer.body})
        return
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    if answer.rest is not None:
        await _hand_back_rest(send, answer.rest, service)
    await send({"type": "http.response.body", "body": b""})


async def _hand_back_rest(send: Send, rest: Rest, service: str) -> None:
    try:
        async for part in rest:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except OSError as error:
        _log.warning("a large answer broke off: %s", error, extra={"service": service})
        raise ConnectionResetError("the service broke off") from error
    finally:
        rest.close()


def _tagged(send: Send, mark: str, whose: str) -> Send:
    """Adds to an answer which request it is of, and who refused it: a service that is away, or the gateway itself."""

    async def tagged(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] += [(b"x-request-id", mark.encode()), (_SERVICE, whose.encode())]
        await send(message)

    return tagged


def _about(scope: MutableMapping[str, Any], asked: dict[bytes, bytes], mark: str) -> Fields:
    """Where a request comes from, which it is, and the trace that it belongs to."""
    return [
        (b"x-request-id", mark.encode()),
        (b"traceparent", next_trace_parent(asked.get(b"traceparent"))),
        (b"x-forwarded-for", _address(scope).encode("latin-1")),
        (b"x-forwarded-host", asked.get(b"host", b"")),
        (b"x-forwarded-proto", scope.get("scheme", "http").encode("latin-1")),
    ]


def _address(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _target(scope: MutableMapping[str, Any]) -> str:
    """Path and query string of a request, encoded as the client did."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe=_SAFE_IN_PATH)
    query = scope["query_string"]
    return f"{path}?{query.decode('latin-1')}" if query else path
