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
from dbz.server.auth import AuthService
from dbz.server.chat import ChatService
from dbz.server.content import ContentService
from dbz.server.core import Core
from dbz.server.data.indexes import ensure_indexes, missing_indexes
from dbz.server.data.sharding import open_router
from dbz.server.data.stores import open_mongo, open_redis
from dbz.server.data.warmup import warm_at_start
from dbz.server.events import EventHub, open_queue
from dbz.server.faults import Faults
from dbz.server.game import GameService
from dbz.server.garbage import GarbageCollection
from dbz.server.http import Dispatcher
from dbz.server.http.call import Receive
from dbz.server.http.dispatch import Answered
from dbz.server.http.openapi import OpenApi
from dbz.server.http.reply import Send
from dbz.server.media import MediaService
from dbz.server.notification import NotificationService
from dbz.server.observe.emf import write_forever
from dbz.server.observe.metrics import Figures, ServerMetrics
from dbz.server.observe.operations import Operations
from dbz.server.observe.queries import Queries
from dbz.server.process import DRAIN_SIGNAL, follow_parent, server_family
from dbz.server.realtime import Gateway
from dbz.server.seams import Service
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

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith(_SOCKET_PATH):
            await self.gateway.handle(scope, receive, send)
        elif scope["type"] == "http":
            assert self._dispatch is not None
            await self._dispatch(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 4404})

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
        await self.gateway.start()
        for service in self.services:
            await service.start()
        self._cache_sync.start()
        published = self._metrics.publish_forever(), write_forever(self._metrics, self._settings.emf)
        work = (self._prepare(), *published, warm_at_start(self.core), self._garbage.run())
        self._tasks = [asyncio.create_task(job) for job in work]

    async def drain(self) -> None:
        """Send the sockets away to connect again; requests under way go on."""
        self.operations.draining = True
        try:
            await self.gateway.drain(self._settings.http.drain_s)
        finally:
            self._drained.release()

    async def stop(self) -> None:
        """Keep what was accepted, then let go of everything."""
        self.operations.draining = True
        for service in reversed(self.services):
            await service.stop()
        await self.gateway.stop()
        if self._faults is not None:
            await self._faults.stop()
        await end(self._tasks)
        await self._cache_sync.stop()
        await self.core.router.stop()
        await self.core.redis.aclose()
        await self._mongo.close()

    def _compose(self) -> None:
        settings = self._settings
        self._mongo = open_mongo(settings.stores)
        redis = open_redis(settings.stores)
        limits = CacheLimits(settings.cache.max_entries, settings.cache.max_bytes)
        cache = TwoLayerCache(redis, limits=limits)
        self._cache_sync = CacheSync(
            cache, redis, sweep_s=settings.cache.sweep_s, heap_limit_bytes=settings.cache.heap_limit_bytes
        )
        self._metrics = ServerMetrics(redis, settings.http, server_family(settings.http.group), self._refresh)
        figures = self._metrics.figures
        queries = Queries(figures, settings.stores.slow_query_ms)
        router = open_router(settings.stores, self._mongo, redis)
        self.core = Core(settings, router, redis, cache, queries, figures)
        self._compose_services()

    def _compose_services(self) -> None:
        core = self.core
        auth = AuthService(core, self._settings.jwt_secret)
        self.gateway = Gateway(core, auth.tokens.identify, self._garbage)
        auth.revocations.listeners.append(self.gateway.end_session)
        hub = EventHub(core, open_queue(core.redis, core.settings.queue))
        notification = NotificationService(core, auth, self.gateway, hub)
        content = ContentService(core, auth, hub)
        game = GameService(core, auth, self.gateway, hub)
        notification.audiences["game.starting"] = game.audience
        chat = ChatService(core, self.gateway)
        self.services: tuple[Service, ...] = (auth, hub, notification, content, game, chat, MediaService(core))
        self.operations = Operations(core, self._metrics, self._recent)
        self._faults = Faults() if self._settings.http.faults else None
        openapi = OpenApi()
        routes = [*(route for service in self.services for route in service.routes), *self.operations.routes()]
        routes += ClubPages().routes
        routes += self._faults.routes() if self._faults else []
        routes.append(openapi.route)
        openapi.describe(routes)
        strike = self._faults.strike if self._faults else None
        self._dispatch = Dispatcher(routes, self._settings.http, core.figures, auth.tokens.authenticate, strike)
        for service in self.services:
            self.gateway.serve(service.events)

    async def _prepare(self) -> None:
        """Create and check the indexes, as soon as the document store answers."""
        wanted = [indexes for service in self.services for indexes in service.indexes]
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
        figures.connections = len(self.gateway.connections)
        figures.unauthenticated = self.gateway.unauthenticated


def _cache_rows(cache: TwoLayerCache) -> list[tuple[tuple[str, ...], float]]:
    snapshot = cache.stats.snapshot()
    return [((layer, outcome), count) for layer, outcomes in snapshot.items() for outcome, count in outcomes.items()]
