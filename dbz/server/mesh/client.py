"""Calls from one process of the server to another: whatever the other does, an answer or a refusal comes in time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson
from yarl import URL

from dbz.server.http.dispatch import request_id, trace_parent
from dbz.server.http.errors import ApiError
from dbz.server.mesh.leases import Directory
from dbz.server.mesh.signing import CALLER, Signer
from dbz.server.mesh.upstream import ServiceInstance, Upstream
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Settings

T = TypeVar("T")

BUFFERED_BYTES = 1024 * 1024
"""So much of an answer is read before any of it is handed on: until then a call that breaks can still be refused."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MOST_ATTEMPTS = 3
_IDLE_S = 15.0  # less than servers keep idle connections, so that hardly any closes in the moment it is used
_CLOSED = "closing transport"
"""What aiohttp says of a connection that was lost before a write, and not after one."""
_NO_OWN = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Rest:
    """What is still to come of an answer: read it to its end, or close it."""

    def __init__(self, response: aiohttp.ClientResponse, stack: contextlib.AsyncExitStack) -> None:
        self._response = response
        self._stack = stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its parts as they come; `aiohttp.ClientError` or `TimeoutError` when it breaks off."""
        async with self._stack:
            async for part in self._response.content.iter_any():
                yield part

    async def close(self) -> None:
        """Do without it."""
        await self._stack.aclose()


@dataclass
class ServiceAnswer:
    """What an instance answered; `rest` gives what comes after the part in `body`, for answers that are large."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    rest: Rest | None = None


class ServiceAwayError(ApiError):
    """A service does not answer, or not in HTTP: 502, 503 or 504."""


@dataclass(frozen=True)
class Asked:
    """One request to a service."""

    method: str
    target: str
    """Path and query string, encoded."""
    headers: list[tuple[str, str]]
    body: bytes | None = None
    repeatable: bool | None = None
    """Whether it may be sent twice; by its method when this is None."""

    @property
    def may_repeat(self) -> bool:
        """Whether asking twice does what asking once does."""
        return self.method in _SAFE if self.repeatable is None else self.repeatable


class MeshClient:
    """Calls services by their names, as the process `name`."""

    def __init__(self, settings: Settings, directory: Directory, signer: Signer, figures: Figures, name: str) -> None:
        self._settings = settings.mesh
        self._directory = directory
        self._signer = signer
        self._figures = figures
        self._name = name
        self._session: aiohttp.ClientSession | None = None
        self.upstreams: dict[str, Upstream] = {}

    async def start(self) -> None:
        """Begin to follow the leases, and make the pool of connections."""
        self._directory.start()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S, use_dns_cache=True, ttl_dns_cache=None)
        timeout = aiohttp.ClientTimeout(
            total=self._settings.request_timeout_s, sock_connect=self._settings.connect_timeout_s
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NO_OWN,
        )

    async def stop(self) -> None:
        """Close every connection."""
        await self._directory.stop()
        if self._session is not None:
            await self._session.close()

    def upstream(self, service: str) -> Upstream:
        """What is known of a service."""
        known = self.upstreams.get(service)
        if known is None:
            urls = lambda: self._directory.urls(service)  # noqa: E731
            known = self.upstreams[service] = Upstream(service, self._settings, urls, self._figures)
        return known

    async def call(self, service: str, asked: Asked) -> ServiceAnswer:
        """The answer of some instance; `ServiceAwayError` when none gives one."""

        async def exchange(instance: ServiceInstance) -> ServiceAnswer:
            async with contextlib.AsyncExitStack() as stack:
                response = await stack.enter_async_context(self._request(instance, asked))
                body = await _first(response)
                rest = None
                if not response.content.at_eof():
                    instance.outstanding += 1
                    stack.callback(_finished, instance)
                    rest = Rest(response, stack.pop_all())
                return ServiceAnswer(response.status, response.raw_headers, body, rest)

        return await self._attempt(service, asked, exchange)

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

        async def exchange(instance: ServiceInstance) -> ServiceAnswer:
            async with contextlib.AsyncExitStack() as stack:
                response = await stack.enter_async_context(self._request(instance, asked))
                if response.status != 200:
                    return ServiceAnswer(response.status, response.raw_headers, await _first(response))
                line = await response.content.readline()
                instance.outstanding += 1
                stack.callback(_finished, instance)
                return ServiceAnswer(200, response.raw_headers, line, Rest(response, stack.pop_all()))

        answer = await self._attempt(service, asked, exchange)
        if answer.status != 200:
            raise _refusal_of(service, answer)
        assert answer.rest is not None
        return orjson.loads(answer.body), answer.rest

    def _own_headers(self) -> list[tuple[str, str]]:
        headers = [("content-type", "application/json"), (CALLER.decode(), self._signer.caller(self._name))]
        if request_id.get():
            headers.append(("x-request-id", request_id.get()))
        if trace_parent.get():
            headers.append(("traceparent", trace_parent.get()))
        return headers

    def _request(self, instance: ServiceInstance, asked: Asked) -> Any:
        assert self._session is not None, "start the client first"
        return self._session.request(
            asked.method,
            URL(instance.url + asked.target, encoded=True),
            headers=asked.headers,
            data=asked.body,
            allow_redirects=False,
        )

    async def _attempt(
        self, service: str, asked: Asked, exchange: Callable[[ServiceInstance], Awaitable[ServiceAnswer]]
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
                return await self._once(upstream, instance, exchange)
            except _AttemptFailedError as failed:
                refusal, failure = failed.refusal, failed
            again = failure.unsent or (failure.may_follow and asked.may_repeat)
            if not again or len(tried) >= _MOST_ATTEMPTS or not upstream.budget.takes():
                break
            instance = upstream.choose(tried)
            if instance is None and not failure.refused:
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
        exchange: Callable[[ServiceInstance], Awaitable[ServiceAnswer]],
    ) -> ServiceAnswer:
        """One attempt at one instance; `_AttemptFailedError` when it brings no answer."""
        service, start = upstream.service, time.perf_counter()
        outcome = "cancelled"
        instance.outstanding += 1
        try:
            answer = await exchange(instance)
            outcome = f"{answer.status // 100}xx"
            upstream.answered(instance, answer.status)
            return answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            outcome = "refused"
            raise _AttemptFailedError(_away(service, "cannot be reached"), unsent=True, refused=True) from error
        except TimeoutError as error:
            outcome = "timeout"
            late = ServiceAwayError(504, "gateway_timeout", f"{service} did not answer in time")
            raise _AttemptFailedError(late, may_follow=False) from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
            outcome = "broken"
            bad = ServiceAwayError(502, "bad_gateway", f"{service} broke off, or did not answer in HTTP")
            raise _AttemptFailedError(bad, unsent=_nothing_written(error)) from error
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

    `unsent`: no byte of the request has left, so that it may be sent whatever it does. `refused`: nobody takes
    connections there.
    """

    def __init__(
        self, refusal: ServiceAwayError, *, unsent: bool = False, refused: bool = False, may_follow: bool = True
    ) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.unsent = unsent
        self.refused = refused
        self.may_follow = may_follow


def _nothing_written(error: BaseException) -> bool:
    """Whether a kept connection turned out to be closed before anything was written to it: head and body go out in one
    piece. RFC 9110, section 9.2.2: what was surely not applied may be sent again, by any method.
    """
    every = (error, error.__cause__)
    return any(isinstance(one, aiohttp.ClientConnectionResetError) and _CLOSED in str(one) for one in every)


def _away(service: str, what: str) -> ServiceAwayError:
    return ServiceAwayError(503, "service_unavailable", f"{service} {what}; try again shortly", service=service)


def _refusal_of(service: str, answer: ServiceAnswer) -> ApiError:
    try:
        error: Mapping[str, Any] = orjson.loads(answer.body)["error"]
        return ApiError(answer.status, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return ServiceAwayError(502, "bad_gateway", f"{service} answered with {answer.status}")


async def _first(response: aiohttp.ClientResponse) -> bytes:
    """The answer's body, or its beginning when it is large."""
    content = response.content
    parts, size = [], 0
    while size < BUFFERED_BYTES and not content.at_eof():
        part = await content.readany()
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _finished(instance: ServiceInstance) -> None:
    instance.outstanding -= 1
