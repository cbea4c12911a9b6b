"""Which services a process is made of, and how those reach the ones that are elsewhere.

One process is all services, or one of them, or the gateway in front of them. The services are the same code: only who
answers their seams differs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from dbz.background import end
from dbz.config.load.services import BAND_SYNC, GATEWAY
from dbz.server.apart.band import RemoteBandAccess, band_routes
from dbz.server.apart.handover import SocketEvents
from dbz.server.apart.internal import InternalRoutes
from dbz.server.apart.sagas import RemoteSteps, saga_routes
from dbz.server.apart.seams import RemoteAudience, RemoteEnds, RemoteMembers, RemotePictures
from dbz.server.auth import AuthService
from dbz.server.auth.passwords import Passwords
from dbz.server.auth.sign_up import SignUp
from dbz.server.band_api import BandApi
from dbz.server.band_sync import BandSyncService
from dbz.server.chat import ChatService
from dbz.server.content import ContentService
from dbz.server.core import Core
from dbz.server.edge.sockets import EventHandover
from dbz.server.events import EventHub, open_queue
from dbz.server.game import GameService
from dbz.server.garbage import GarbageCollection
from dbz.server.http import Route
from dbz.server.http.dispatch import Authenticate
from dbz.server.media import MediaService
from dbz.server.mesh import Directory, MeshClient, ServiceLease, Signer
from dbz.server.notification import NotificationService
from dbz.server.realtime import Gateway, Publisher
from dbz.server.sagas import SagaRunner
from dbz.server.sagas.asl import JOB_KIND
from dbz.server.sagas.step_functions import StepFunctionsTasks
from dbz.server.seams import Service
from dbz.server.settings import Settings

_log = logging.getLogger(__name__)


class Background(Protocol):
    """Something of a process that runs in the background."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


@dataclass
class Composition:
    """What one process consists of."""

    services: tuple[Service, ...]
    """Those that run here."""
    authenticate: Authenticate
    """Says from the headers of a request who asks."""
    internal: Sequence[Route] = ()
    """Routes for other processes of this server."""
    gateway: Gateway | None = None
    """Holds the sockets; None where there are none."""
    parts: Sequence[Background] = ()
    """What else runs here; started before the services and stopped after them."""
    lease: ServiceLease | None = None
    """Tells others that this process serves."""
    elsewhere: Sequence[Service] = field(default=())
    """Services that are known here, with their routes and events, and run in other processes."""
    mesh: MeshClient | None = None


def compose(core: Core, settings: Settings, garbage: GarbageCollection) -> Composition:
    """What the settings make of this process."""
    if not settings.mesh.service:
        return _all(core, settings, garbage)
    signer = Signer(settings.mesh_secret)
    directory = Directory(core.redis, settings.http.group, settings.mesh.lease_s)
    mesh = MeshClient(settings, directory, signer, core.figures, settings.mesh.service)
    if settings.mesh.service == GATEWAY:
        return _edge(core, settings, garbage, mesh, signer)
    return _service(core, settings, mesh, signer)


def _all(core: Core, settings: Settings, garbage: GarbageCollection) -> Composition:
    hub = EventHub(core, open_queue(core.redis, core.settings.queue))
    sagas = SagaRunner(core)
    hub.performers[JOB_KIND] = StepFunctionsTasks(sagas).perform
    passwords = _passwords(settings)
    auth = AuthService(core, settings.jwt_secret, passwords, SignUp(core, passwords, sagas, hub))
    gateway = Gateway(core, auth.tokens.identify, garbage)
    auth.revocations.listeners.append(gateway.end_session)
    notification = NotificationService(core, auth, gateway, hub)
    media = MediaService(core)
    content = ContentService(core, auth, hub, media)
    game = GameService(core, auth, gateway, hub, sagas)
    notification.audiences["game.starting"] = notification.reminders.players = game.audience
    chat = ChatService(core, gateway)
    services: tuple[Service, ...] = (auth, hub, sagas, notification, content, game, chat, media)
    if auth.band:
        services += (BandSyncService(core, auth.band, auth.band.api, sagas),)
    for service in services:
        gateway.serve(service.events)
    return Composition(services, auth.tokens.authenticate, gateway=gateway)


def _service(core: Core, settings: Settings, mesh: MeshClient, signer: Signer) -> Composition:
    """One service by itself."""
    emitter = Publisher(core)
    internal = InternalRoutes(signer)
    made = _MAKERS[settings.mesh.service](_Making(core, settings, mesh, emitter, internal))
    sockets = SocketEvents(made.service.events, emitter, signer)
    routes = [*made.internal, *sockets.routes(internal)]
    url = f"http://{settings.http.host}:{settings.http.port}"
    lease = ServiceLease(core.redis, settings.http.group, made.service.name, url, settings.mesh.lease_s)
    return Composition(
        (*made.beside, made.service),
        signer.authenticate,
        internal=routes,
        parts=(emitter, mesh),
        lease=lease,
        mesh=mesh,
    )


@dataclass
class _Making:
    """What a service is made of when it is by itself."""

    core: Core
    settings: Settings
    mesh: MeshClient
    emitter: Publisher
    internal: InternalRoutes

    @property
    def members(self) -> RemoteMembers:
        return RemoteMembers(self.core, self.mesh)

    @cached_property
    def hub(self) -> EventHub:
        """Takes promises, and has others keep them unless it is started."""
        return EventHub(self.core, open_queue(self.core.redis, self.core.settings.queue))

    @cached_property
    def sagas(self) -> SagaRunner:
        """Carries out the sagas that are defined in this process."""
        return SagaRunner(self.core)


@dataclass
class _Made:
    """A service by itself."""

    service: Service
    internal: list[Route] = field(default_factory=list)
    """Its answers to other processes."""
    beside: tuple[Service, ...] = ()
    """What runs in the same process and has neither routes nor events."""


def _auth(making: _Making) -> _Made:
    passwords = _passwords(making.settings)
    sign_up = SignUp(making.core, passwords, making.sagas, making.hub)
    auth = AuthService(making.core, making.settings.jwt_secret, passwords, sign_up)
    internal = [*making.internal.of_auth(auth), *saga_routes(making.internal, making.sagas)]
    internal += band_routes(making.internal, auth.band) if auth.band else []
    return _Made(auth, internal, beside=(making.sagas,))


def _passwords(settings: Settings) -> Passwords:
    return Passwords(settings.auth.password_rounds, settings.auth.password_threads)


def _notification(making: _Making) -> _Made:
    """With the hub, which brings it the events of all, and to their services the steps that Step Functions asks for."""
    notification = NotificationService(making.core, making.members, making.emitter, making.hub)
    notification.audiences["game.starting"] = notification.reminders.players = RemoteAudience(making.mesh)
    making.hub.performers[JOB_KIND] = StepFunctionsTasks(RemoteSteps(making.mesh)).perform
    return _Made(notification, beside=(making.hub,))


def _content(making: _Making) -> _Made:
    return _Made(ContentService(making.core, making.members, making.hub, RemotePictures(making.mesh)))


def _game(making: _Making) -> _Made:
    game = GameService(making.core, making.members, making.emitter, making.hub, making.sagas)
    internal = [*making.internal.of_game(game), *saga_routes(making.internal, making.sagas)]
    return _Made(game, internal, beside=(making.sagas,))


def _chat(making: _Making) -> _Made:
    return _Made(ChatService(making.core, making.emitter))


def _media(making: _Making) -> _Made:
    media = MediaService(making.core)
    return _Made(media, making.internal.of_media(media))


def _band_sync(making: _Making) -> _Made:
    """It asks Band itself, with tokens that auth opens for it."""
    api = BandApi(making.settings.band, "", making.core.figures)
    sync = BandSyncService(making.core, RemoteBandAccess(making.mesh), api, making.sagas)
    return _Made(sync, saga_routes(making.internal, making.sagas), beside=(making.sagas,))


_MAKERS: dict[str, Callable[[_Making], _Made]] = {
    "auth": _auth,
    "notification": _notification,
    "content": _content,
    "game": _game,
    "chat": _chat,
    "media": _media,
    BAND_SYNC: _band_sync,
}


def _edge(core: Core, settings: Settings, garbage: GarbageCollection, mesh: MeshClient, signer: Signer) -> Composition:
    """The gateway. It makes the services for their routes and events, and lets none of them run."""
    emitter = Publisher(core)
    making = _Making(core, settings, mesh, emitter, InternalRoutes(signer))
    names = [name for name in _MAKERS if name != BAND_SYNC or settings.band.url]
    elsewhere = tuple(_MAKERS[name](making).service for name in names)
    auth = next(service for service in elsewhere if isinstance(service, AuthService))
    gateway = Gateway(core, auth.tokens.identify, garbage)
    auth.revocations.listeners.append(gateway.end_session)
    handover = EventHandover(mesh, signer)
    for service in elsewhere:
        gateway.serve(handover.handlers(service.name, service.events))
    ends = _Ends(auth, RemoteEnds(mesh, settings.auth.access_ttl_s), settings.auth.revocation_poll_s)
    return Composition(
        (), auth.tokens.authenticate, gateway=gateway, parts=(mesh, ends), elsewhere=elsewhere, mesh=mesh
    )


class _Ends:
    """Keeps the gateway's list of ended sessions: told through Redis at once, asked of auth as the net under that."""

    def __init__(self, auth: AuthService, ends: RemoteEnds, every_s: float) -> None:
        self._auth = auth
        self._ends = ends
        self._every_s = every_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to follow."""
        self._tasks = [asyncio.create_task(self._auth.sessions.listen()), asyncio.create_task(self._poll())]

    async def stop(self) -> None:
        """Stop following."""
        await end(self._tasks)

    async def _poll(self) -> None:
        while True:
            try:
                for session_id in await self._ends.latest():
                    await self._auth.revocations.add(session_id)
            except OSError as error:
                _log.warning("ended sessions could not be asked for: %s", error)
            await asyncio.sleep(self._every_s)
