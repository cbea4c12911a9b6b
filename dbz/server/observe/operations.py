"""Routes for those who run the server: health, readiness, metrics, recent response times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.server.core import Core
from dbz.server.data.warmup import is_warm
from dbz.server.http import Call, Raw, Reply, Route
from dbz.server.http.dispatch import Answered
from dbz.server.http.errors import forbidden
from dbz.server.http.schemas import BOOLEAN, STRING, record
from dbz.server.observe.exposition import CONTENT_TYPE
from dbz.server.observe.metrics import ServerMetrics

_CHECK_S = 2.0
Json = dict[str, Any]
_CHECKS = record(status=STRING, mongo=BOOLEAN, redis=BOOLEAN, indexes=BOOLEAN, warm=BOOLEAN)


class OtherProcesses(Protocol):
    """The services that a gateway leads to."""

    async def ready(self) -> dict[str, bool]:
        """Whether each of them is ready."""

    def state(self) -> Json:
        """How each of them is, for people."""


class Operations:
    """What probes and dashboards ask. A gateway is as ready as the services that it leads to."""

    def __init__(
        self,
        core: Core,
        metrics: ServerMetrics,
        recent: Callable[[], Iterable[Answered]],
        others: OtherProcesses | None = None,
    ) -> None:
        self._others = others
        self._core = core
        self._metrics = metrics
        self._recent = recent
        self.draining = False
        self.indexes_ready = False

    def routes(self) -> Iterable[Route]:
        """The routes."""
        healthy = {200: record(status=STRING)}
        return (
            Route("GET", "/healthz", self.health, "Process is up", public=True, cacheable=False, answers=healthy),
            Route(
                "GET",
                "/readyz",
                self.ready,
                "Stores answer",
                public=True,
                cacheable=False,
                answers={200: _CHECKS, 503: _CHECKS},
            ),
            Route("GET", "/metrics", self.metrics, "Prometheus text", public=True, answers={200: None}),
            Route(
                "GET",
                "/api/admin/responses",
                self.responses,
                "The last 1,000 response times",
                cacheable=False,
                refusals=(403,),
            ),
        )

    async def health(self, _call: Call) -> Reply:
        """GET /healthz."""
        status = {"status": "draining" if self.draining else "ok"}
        return Reply(status if self._others is None else {**status, "services": self._others.state()})

    async def ready(self, _call: Call) -> Reply:
        """GET /readyz: 200 when requests can be served well, else 503 with what is missing.

        A cache that is not warm yet makes no request fail, and so is only told of.
        """
        if self._others is not None:
            services = await self._others.ready()
            ready = all(services.values()) and not self.draining
            return Reply({"status": "ready" if ready else "not ready", "services": services}, 200 if ready else 503)
        mongo, warm = await asyncio.gather(self._mongo_answers(), self._warm())
        redis = warm is not None
        ready = mongo and redis and self.indexes_ready and not self.draining
        checks = {"mongo": mongo, "redis": redis, "indexes": self.indexes_ready, "warm": bool(warm)}
        return Reply({"status": "ready" if ready else "not ready", **checks}, 200 if ready else 503)

    async def metrics(self, _call: Call) -> Raw:
        """GET /metrics."""
        return Raw(await self._metrics.render(), CONTENT_TYPE, ((b"cache-control", b"no-store"),))

    async def responses(self, call: Call) -> Reply:
        """GET /api/admin/responses: of this process, oldest first."""
        if not call.reader.is_admin:
            raise forbidden("only an admin may see response times")
        rows: list[dict[str, Any]] = [entry._asdict() for entry in self._recent()]
        return Reply({"items": rows})

    async def _mongo_answers(self) -> bool:
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._core.router.ping()
        except (PyMongoError, OSError, TimeoutError):
            return False
        return True

    async def _warm(self) -> bool | None:
        """Whether the cache is warm; None when Redis does not answer."""
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._core.redis.ping()
                return await is_warm(self._core)
        except (RedisError, OSError, TimeoutError):
            return None
