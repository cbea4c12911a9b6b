"""The routes by which a service answers the seams of others. Only holders of the mesh secret are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import wraps
from typing import Any

from dbz.server.apart.paths import ADDRESS, AUDIENCE, ENDED, MEMBERS_OF, PICTURE, PROFILES
from dbz.server.auth import AuthService
from dbz.server.game import GameService
from dbz.server.http import Body, Call, Reply, Route
from dbz.server.http.route import Handler
from dbz.server.media import MediaService
from dbz.server.mesh import Signer


class ProfilesBody(Body):
    """Whose profiles are wanted."""

    user_ids: list[str]


class ClubBody(Body):
    """Which club is asked about."""

    club_id: str


class UserBody(Body):
    """Whose e-mail address is wanted."""

    user_id: str


class EndedBody(Body):
    """From when on ended sessions are wanted, ISO 8601."""

    since: str


class AudienceBody(Body):
    """Of which event the audience is wanted."""

    club_id: str
    data: dict[str, Any]


class PictureBody(Body):
    """Of which club which picture is looked for."""

    club_id: str
    media_id: str


Answering = Callable[[Any], Awaitable[Any]]
"""Gives the answer, as JSON, to a body."""


class InternalRoutes:
    """Makes such routes."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def of_auth(self, auth: AuthService) -> list[Route]:
        """Profiles, members, addresses, and sessions that ended."""

        async def profiles(body: ProfilesBody) -> dict[str, Any]:
            return await auth.profiles(body.user_ids)

        async def ended(body: EndedBody) -> dict[str, Any]:
            ids, following = await auth.sessions.ended_since(datetime.fromisoformat(body.since))
            return {"session_ids": ids, "next": following.isoformat()}

        async def members(body: ClubBody) -> list[str]:
            return await auth.of_club(body.club_id)

        async def address(body: UserBody) -> dict[str, str | None]:
            return {"email": await auth.address_of(body.user_id)}

        return [
            self.route(PROFILES, ProfilesBody, profiles),
            self.route(ENDED, EndedBody, ended),
            self.route(MEMBERS_OF, ClubBody, members),
            self.route(ADDRESS, UserBody, address),
        ]

    def of_game(self, game: GameService) -> list[Route]:
        """Who hears that a game is about to start."""

        async def audience(body: AudienceBody) -> list[str]:
            return await game.audience(body.club_id, body.data)

        return [self.route(AUDIENCE, AudienceBody, audience)]

    def of_media(self, media: MediaService) -> list[Route]:
        """Whether a club has a picture."""

        async def picture(body: PictureBody) -> dict[str, bool]:
            return {"has": await media.has(body.club_id, body.media_id)}

        return [self.route(PICTURE, PictureBody, picture)]

    def guarded(self, handler: Handler) -> Handler:
        """`handler` for those who ask in the name of another process of the server; others are refused with 401."""

        @wraps(handler)
        async def checked(call: Call) -> Any:
            self._signer.check_caller(call.headers)
            return await handler(call)

        return checked

    def route(self, path: str, body: type[Body], answering: Answering) -> Route:
        """A route that answers a body of JSON with JSON."""

        async def handle(call: Call) -> Reply:
            return Reply(await answering(await call.body()))

        return Route("POST", path, self.guarded(handle), "Internal", body=body, public=True)
