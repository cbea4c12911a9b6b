"""Calls from one process of the server to another: whatever the other does, an answer or a refusal comes in time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dbz.server.http.dispatch import request_id, trace_parent
from dbz.server.http.errors import ApiError
from dbz.server.mesh.connections import Connections, request_of
from dbz.server.mesh.leases import Directory
from dbz.server.mesh.signing import CALLER, Signer
from dbz.server.mesh.upstream import ServiceInstance, Upstream
from dbz.server.mesh.wire import Fields, Incoming, UnreachableError
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Settings

BUFFERED_BYTES = 1024 * 1024
"""So much of an answer is read before any of it is handed on: until then a call that breaks can still be refused."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MOST_ATTEMPTS = 3
_IDLE_S = 15.0  # less than servers keep idle connections, so that hardly any closes in the moment it is used


class Rest:
    """What is still to come of an answer: read it to its end, or close it."""

    def __init__(self, incoming: Incoming, instance: ServiceInstance) -> None:
        self._incoming = incoming
        self._instance: ServiceInstance | None = instance
        instance.outstanding += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its parts as they come; `OSError` (`TimeoutError` is one) when it breaks off."""
        try:
            while True:
                if part := self._incoming.take():
                    yield part
                elif self._incoming.complete:
                    return
                else:
                    await self._incoming.more()
        finally:
            self.close()

    def close(self) -> None:
        """Do without it."""
        self._incoming.drop()
        if self._instance is not None:
            self._instance.outstanding -= 1
            self._instance = None


@dataclass(slots=True)
class ServiceAnswer:
    """What an instance answered; `rest` gives what comes after the part in `body`, for answers that are large."""

    status: int
    headers: Fields
    """Their names are in small letters."""
    body: bytes
    rest: Rest | None = None


class ServiceAwayError(ApiError):
    """A service does not answer, or not in HTTP: 502, 503 or 504."""


@dataclass(slots=True)
class Asked:
    """One request to a service."""

    method: str
    target: str
    """Path and query string, encoded."""
    headers: Fields
    body: bytes | None = None
    repeatable: bool | None = None
    """Whether it may be sent twice; by its method when this is None."""

    @property
    def may_repeat(self) -> bool:
        """Whether asking twice does what asking once does."""
        return self.method in _SAFE if self.repeatable is None else self.repeatable


Exchange = Callable[[ServiceInstance, Asked], Awaitable[ServiceAnswer]]


class MeshClient:
    """Calls services by their names, as the process `name`."""

    def __init__(self, settings: Settings, directory: Directory, signer: Signer, figures: Figures, name: str) -> None:
        self._settings = settings.mesh
        self._directory = directory
        self._signer = signer
        self._figures = figures
        self._name = name
        directory.on_begin = self._begins
        self._connections = Connections(self._settings.connect_timeout_s, _IDLE_S)
        self.upstreams: dict[str, Upstream] = {}

    async def start(self) -> None:
        """Begin to follow the leases."""
        self._directory.start()

    async def stop(self) -> None:
        """Close every connection that is not in use."""
        await self._directory.stop()
        self._connections.close()

    def upstream(self, service: str) -> Upstream:
        """What is known of a service."""
        known = self.upstreams.get(service)
        if known is None:
            urls = lambda: self._directory.urls(service)  # noqa: E731
            known = self.upstreams[service] = Upstream(service, self._settings, urls, self._figures)
        return known

    def _begins(self, service: str, url: str) -> None:
        upstream = self.upstream(service)
        upstream.begins(url)
        for instance in upstream.instances:
            if instance.url == url:
                self._connections.forget_all(instance.name)

    async def call(self, service: str, asked: Asked) -> ServiceAnswer:
        """The answer of some instance; `ServiceAwayError` when none gives one."""

        return await self._attempt(service, asked, self._buffered)

    async def ask(self, service: str, path: str, data: Any) -> Any:
        """The JSON answer of a service to `data`, asked in this process's own name; it may be asked twice."""
        answer = await self.call(service, Asked("POST", path, self._own_headers(), orjson.dumps(data), repeatable=True))
        if answer.status != 200:
            raise ServiceAwayError(502, "bad_gateway", f"{service} answered with {answer.status} to another service")
        return orjson.loads(answer.body)

    async def two_parts(self, service: str, path: str, data: Any) -> tuple[dict[str, Any], Rest]:
        """The first line of JSON that a service answers with, and what it says after it, which may take its time.

        It is asked once. `ApiError` when the service refuses, with its code and words.
        """
        asked = Asked("POST", path, self._own_headers(), orjson.dumps(data))

        answer = await self._attempt(service, asked, self._by_line)
        if answer.status != 200:
            raise _refusal_of(service, answer)
        assert answer.rest is not None
        return orjson.loads(answer.body), answer.rest

    def _own_headers(self) -> Fields:
        headers = [(b"content-type", b"application/json"), (CALLER, self._signer.caller(self._name).encode())]
        if request_id.get():
            headers.append((b"x-request-id", request_id.get().encode()))
        if trace_parent.get():
            headers.append((b"traceparent", trace_parent.get().encode("latin-1")))
        return headers

    async def _send(self, instance: ServiceInstance, asked: Asked) -> Incoming:
        request = request_of(asked.method, asked.target, instance.name, asked.headers, asked.body)
        within_s = self._settings.request_timeout_s
        return await self._connections.send(instance.name, asked.method, request, within_s)

    async def _buffered(self, instance: ServiceInstance, asked: Asked) -> ServiceAnswer:
        """The whole answer, or its beginning and the rest when it is large."""
        incoming = await self._send(instance, asked)
        body = await incoming.first(BUFFERED_BYTES)
        rest = None if incoming.complete else Rest(incoming, instance)
        return ServiceAnswer(incoming.status, incoming.headers, body, rest)

    async def _by_line(self, instance: ServiceInstance, asked: Asked) -> ServiceAnswer:
        """The first line of an answer with 200 and the rest; of another answer its beginning."""
        incoming = await self._send(instance, asked)
        line = await incoming.line()
        if incoming.status == 200:
            return ServiceAnswer(200, incoming.headers, line, Rest(incoming, instance))
        body = line + await incoming.first(BUFFERED_BYTES)
        incoming.drop()
        return ServiceAnswer(incoming.status, incoming.headers, body)

    async def _attempt(
        self,
        service: str,
        asked: Asked,
        exchange: Exchange,
    ) -> ServiceAnswer:
        """Have instances answer, one after the other, as far as the call may be repeated and the budget lasts."""
        upstream = self.upstream(service)
        upstream.budget.called()
        if not upstream.breaker.allows():
            self._figures.upstream_calls.add((service, "", "breaker_open"))
            raise _away(service, "is left alone for a moment: it did not answer lately")
        tried: list[ServiceInstance] = []
        refusal = _away(service, "has no instance that could answer now")
        instance = upstream.choose()
        while instance is not None:
            tried.append(instance)
            try:
                return await self._once(upstream, instance, asked, exchange)
            except _AttemptFailedError as failed:
                refusal, failure = failed.refusal, failed
            again = failure.unsent or (failure.may_follow and asked.may_repeat)
            if not again or len(tried) >= _MOST_ATTEMPTS or not upstream.budget.takes():
                break
            instance = upstream.choose(tried)
            if instance is None and not failure.unsent:
                instance = upstream.choose()  # it may have closed a connection that was idle, and be well
            if instance is not None:
                self._figures.upstream_retries.add((service,))
        if not tried:
            upstream.breaker.abandoned()
            self._figures.upstream_calls.add((service, "", "no_instance"))
        raise refusal

    async def _once(
        self,
        upstream: Upstream,
        instance: ServiceInstance,
        asked: Asked,
        exchange: Exchange,
    ) -> ServiceAnswer:
        """One attempt at one instance; `_AttemptFailedError` when it brings no answer."""
        service, start = upstream.service, time.perf_counter()
        outcome = "cancelled"
        instance.outstanding += 1
        try:
            answer = await exchange(instance, asked)
            outcome = f"{answer.status // 100}xx"
            upstream.answered(instance, answer.status)
            return answer
        except UnreachableError as error:
            outcome = "refused"
            raise _AttemptFailedError(_away(service, "cannot be reached"), unsent=True) from error
        except TimeoutError as error:
            outcome = "timeout"
            late = ServiceAwayError(504, "gateway_timeout", f"{service} did not answer in time")
            raise _AttemptFailedError(late, may_follow=False) from error
        except (OSError, ValueError) as error:
            outcome = "broken"
            bad = ServiceAwayError(502, "bad_gateway", f"{service} broke off, or did not answer in HTTP")
            raise _AttemptFailedError(bad) from error
        finally:
            instance.outstanding -= 1
            if outcome == "cancelled":
                instance.breaker.abandoned()
                upstream.breaker.abandoned()
            elif outcome in ("refused", "timeout", "broken"):
                upstream.failed(instance)
            self._figures.upstream_calls.add((service, instance.name, outcome))
            self._figures.upstream_durations.observe((service,), time.perf_counter() - start)


class _AttemptFailedError(Exception):
    """An attempt without an answer; `refusal` is what the client hears unless another attempt brings one.

    `unsent`: nobody takes connections there, so that no byte of the request has left, and it may be sent whatever it
    does. RFC 9110, section 9.2.2: what was surely not applied may be sent again, by any method.
    """

    def __init__(self, refusal: ServiceAwayError, *, unsent: bool = False, may_follow: bool = True) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.unsent = unsent
        self.may_follow = may_follow


def _away(service: str, what: str) -> ServiceAwayError:
    return ServiceAwayError(503, "service_unavailable", f"{service} {what}; try again shortly", service=service)


def _refusal_of(service: str, answer: ServiceAnswer) -> ApiError:
    try:
        error: Mapping[str, Any] = orjson.loads(answer.body)["error"]
        return ApiError(answer.status, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return ServiceAwayError(502, "bad_gateway", f"{service} answered with {answer.status}")
