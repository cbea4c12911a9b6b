"""Composes the services into one ASGI application, and runs its life: start, serve, drain."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable, MutableMapping
from multiprocessing.synchronize import Semaphore
from typing import Any

from pymongo.errors import PyMongoError

from dbz.background import end
from dbz.cache import CacheLimits, CacheSync, TwoLayerCache
from dbz.children import raise_open_files
from dbz.config.load.services import GATEWAY
from dbz.server.apart.faults import AskedFaults, FollowedFaults
from dbz.server.composition import Composition, compose
from dbz.server.core import Core
from dbz.server.data.indexes import ensure_indexes, missing_indexes
from dbz.server.data.ownership import CollectionGuard
from dbz.server.data.sharding import open_router
from dbz.server.data.stores import open_mongo, open_redis
from dbz.server.data.warmup import warm_at_start
from dbz.server.edge.edge import Edge
from dbz.server.edge.health import ServicesHealth
from dbz.server.edge.traffic import ClientLimits
from dbz.server.faults import Faults
from dbz.server.garbage import GarbageCollection
from dbz.server.http import Dispatcher, Route
from dbz.server.http.call import Receive
from dbz.server.http.dispatch import Answered
from dbz.server.http.openapi import OpenApi
from dbz.server.http.reply import Send
from dbz.server.mesh import Signer
from dbz.server.mesh.leases import LOOKS_IN_A_LEASE
from dbz.server.observe.emf import write_forever
from dbz.server.observe.metrics import Figures, ServerMetrics
from dbz.server.observe.operations import Operations
from dbz.server.observe.queries import Queries
from dbz.server.process import DRAIN_SIGNAL, connection_places, follow_parent, server_family
from dbz.server.realtime.handshake import asks_for_websocket
from dbz.server.realtime.takeover import Takeovers
from dbz.server.settings import Settings
from dbz.server.web import ClubPages

_log = logging.getLogger(__name__)
_SOCKET_PATH = "/socket.io"


class Application:
    """One server process. It is made inside the process that serves, before its event loop runs."""

    def __init__(self, settings: Settings, drained: Semaphore) -> None:
        self._settings = settings
        self._drained = drained
        self._dispatch: Dispatcher | None = None
        self._garbage = GarbageCollection()
        self._takeovers = Takeovers(connection_places(), raise_open_files(), settings.realtime.max_message_bytes)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith(_SOCKET_PATH) and self.parts.gateway is not None:
            if asks_for_websocket(scope):
                await self._takeovers.serve(self.parts.gateway.handle, scope, send)
            else:
                await self.parts.gateway.handle(scope, receive, send)
        else:
            answer = self._edge or self._dispatch
            assert answer is not None
            await answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Connect lazily and begin background work; the stores need not be up yet."""
        follow_parent()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(DRAIN_SIGNAL, lambda: loop.create_task(self.drain()))
        # Ctrl-C in a terminal reaches every process; the supervisor decides when the workers end.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        self._compose()
        self.core.router.start()
        if self.parts.gateway is not None:
            await self.parts.gateway.start()
        for part in (*self.parts.parts, *self.parts.services):
            await part.start()
        if self.parts.lease is not None:
            self.parts.lease.start()
        self._cache_sync.start()
        if self._followed is not None:
            await self._followed.start()
        published = self._metrics.publish_forever(), write_forever(self._metrics, self._settings.emf)
        work = (self._prepare(), *published, warm_at_start(self.core), self._garbage.run())
        self._tasks = [asyncio.create_task(job) for job in work]

    async def drain(self) -> None:
        """Give up the lease and send the sockets away to connect again; requests under way go on."""
        self.operations.draining = True
        try:
            if self.parts.lease is not None:
                await self.parts.lease.give_up()
                # Until everybody has looked again calls still come, and are answered.
                await asyncio.sleep(2 * self._settings.mesh.lease_s / LOOKS_IN_A_LEASE)
            if self.parts.gateway is not None:
                await self.parts.gateway.drain(self._settings.http.drain_s)
        finally:
            self._drained.release()

    async def stop(self) -> None:
        """Keep what was accepted, then let go of everything."""
        self.operations.draining = True
        for part in (*reversed(self.parts.services), *reversed(self.parts.parts)):
            await part.stop()
        if self.parts.gateway is not None:
            await self.parts.gateway.stop()
        await self._takeovers.stop()
        if self._followed is not None:
            await self._followed.stop()
        elif self._faults is not None:
            await self._faults.stop()
        await end(self._tasks)
        await self._cache_sync.stop()
        await self.core.router.stop()
        await self.core.redis.aclose()
        await self._mongo.close()

    def _compose(self) -> None:
        settings = self._settings
        redis = open_redis(settings.stores)
        limits = CacheLimits(settings.cache.max_entries, settings.cache.max_bytes)
        cache = TwoLayerCache(redis, limits=limits)
        self._cache_sync = CacheSync(
            cache, redis, sweep_s=settings.cache.sweep_s, heap_limit_bytes=settings.cache.heap_limit_bytes
        )
        self._metrics = ServerMetrics(
            redis, settings.http, server_family(settings.http.group), self._refresh, settings.mesh.service
        )
        figures = self._metrics.figures
        guards = (
            [CollectionGuard(settings.mesh.service, settings.stores.database, figures)] if settings.mesh.service else []
        )
        self._mongo = open_mongo(settings.stores, guards)
        queries = Queries(figures, settings.stores.slow_query_ms)
        router = open_router(settings.stores, self._mongo, redis, guards)
        self.core = Core(settings, router, redis, cache, queries, figures)
        self._compose_services()

    def _compose_services(self) -> None:
        core = self.core
        parts = self.parts = compose(core, self._settings, self._garbage)
        self._health = ServicesHealth(parts.mesh, [s.name for s in parts.elsewhere]) if parts.mesh else None
        self.operations = Operations(core, self._metrics, self._recent, self._health if parts.elsewhere else None)
        self._faults = Faults() if self._settings.http.faults else None
        self._followed = self._follow_faults()
        openapi = OpenApi()
        routes = [*(route for service in parts.services for route in service.routes), *self.operations.routes()]
        routes += ClubPages().routes
        routes += self._fault_routes()
        routes.append(openapi.route)
        openapi.describe([*(route for service in parts.elsewhere for route in service.routes), *routes])
        strike = self._faults.strike if self._faults else None
        own = Dispatcher([*routes, *parts.internal], self._settings.http, core.figures, parts.authenticate, strike)
        self._dispatch = own
        self._edge = self._lead_elsewhere(parts, own)

    def _follow_faults(self) -> FollowedFaults | None:
        """Where this process is a service by itself, what an admin asks for at the gateway."""
        settings = self._settings
        if self._faults is None or settings.mesh.service in ("", GATEWAY):
            return None
        return FollowedFaults(self.core.redis, settings.http.group, settings.mesh.service, self._faults)

    def _fault_routes(self) -> list[Route]:
        """Where admins ask for faults: at the one process, or at the gateway."""
        settings = self._settings
        if self._faults is None or self._followed is not None:
            return []
        if settings.mesh.service != GATEWAY:
            return self._faults.routes()
        names = [service.name for service in self.parts.elsewhere]
        return AskedFaults(self.core.redis, settings.http.group, names).routes()

    def _lead_elsewhere(self, parts: Composition, own: Dispatcher) -> Edge | None:
        """What leads requests to the services in other processes, where there are any."""
        if not parts.elsewhere or parts.mesh is None:
            return None
        routes = [(service.name, route) for service in parts.elsewhere for route in service.routes]
        limits = ClientLimits(self.core.redis, self._settings.mesh)
        signer = Signer(self._settings.mesh_secret)
        return Edge(routes, own, parts.mesh, signer, parts.authenticate, limits, self._settings)

    async def _prepare(self) -> None:
        """Create and check the indexes, as soon as the document store answers."""
        wanted = [indexes for service in self.parts.services for indexes in service.indexes]
        while not self.operations.indexes_ready:
            try:
                await ensure_indexes(self.core.router, wanted)
                missing = await missing_indexes(self.core.router, wanted)
            except (PyMongoError, OSError, TimeoutError) as error:
                _log.warning("indexes are not ready: %s", error)
                await asyncio.sleep(1.0)
                continue
            if missing:
                _log.error("indexes are missing: %s", ", ".join(missing))
            self.operations.indexes_ready = not missing
            await asyncio.sleep(0 if not missing else 5.0)

    def _recent(self) -> Iterable[Answered]:
        return self._dispatch.recent if self._dispatch else ()

    def _refresh(self, figures: Figures) -> None:
        figures.cache_requests.values = dict(_cache_rows(self.core.cache))
        gateway = self.parts.gateway
        if self._health is not None:
            figures.breakers.values = self._health.levels()
        if gateway is not None:
            figures.connections = len(gateway.connections)
            figures.unauthenticated = gateway.unauthenticated


def _cache_rows(cache: TwoLayerCache) -> list[tuple[tuple[str, ...], float]]:
    snapshot = cache.stats.snapshot()
    return [((layer, outcome), count) for layer, outcomes in snapshot.items() for outcome, count in outcomes.items()]
