"""The link with Band when synchronising is a process of its own: auth has the clubs' links and opens their tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from dbz.server.apart.internal import ClubBody, InternalRoutes
from dbz.server.apart.paths import BAND_CLUB, BAND_CLUBS, BAND_TOKEN
from dbz.server.band_api import BandError, BandLinkError, BandThrottledError, BandUnavailableError
from dbz.server.http import ApiError, Body, Route
from dbz.server.mesh import MeshClient
from dbz.server.seams import BandAccess, BandClub, BandToken


class ClubsBody(Body):
    """All linked clubs are wanted."""


class TokenBody(Body):
    """Of which user a token is wanted, newer than the version that Band did not take."""

    user_id: str
    refused: int


def band_routes(internal: InternalRoutes, access: BandAccess) -> list[Route]:
    """Auth's answers about links with Band."""

    async def clubs(_: ClubsBody) -> list[dict[str, str]]:
        return [vars(club) async for club in access.clubs()]

    async def club(body: ClubBody) -> dict[str, str] | None:
        found = await access.club(body.club_id)
        return vars(found) if found else None

    async def token(body: TokenBody) -> dict[str, Any]:
        try:
            found = await access.token(body.user_id, body.refused)
        except BandThrottledError as error:
            return {"failure": "throttled", "retry_after_s": error.retry_after_s}
        except BandLinkError as error:
            return {"failure": "link", "why": str(error)}
        except BandError as error:
            return {"failure": "unavailable", "why": str(error)}
        return {"text": found.text, "version": found.version}

    return [
        internal.route(BAND_CLUBS, ClubsBody, clubs),
        internal.route(BAND_CLUB, ClubBody, club),
        internal.route(BAND_TOKEN, TokenBody, token),
    ]


class RemoteBandAccess:
    """See `BandAccess`; answered by auth."""

    def __init__(self, mesh: MeshClient) -> None:
        self._mesh = mesh

    async def clubs(self) -> AsyncIterator[BandClub]:
        """See `BandAccess`; `ConnectionError` while auth is away."""
        try:
            rows = await self._mesh.ask("auth", BAND_CLUBS, {})
        except ApiError as error:
            raise ConnectionError(error.message) from error
        for row in rows:
            yield BandClub(**row)

    async def club(self, club_id: str) -> BandClub | None:
        """See `BandAccess`; a refusal with 503 while auth is away."""
        row = await self._mesh.ask("auth", BAND_CLUB, {"club_id": club_id})
        return BandClub(**row) if row else None

    async def token(self, user_id: str, refused: int = -1) -> BandToken:
        """See `BandAccess`; `BandUnavailableError` while auth is away: then a run goes on later."""
        try:
            answer = await self._mesh.ask("auth", BAND_TOKEN, {"user_id": user_id, "refused": refused})
        except ApiError as error:
            raise BandUnavailableError(f"no token for Band: {error.message}") from error
        match answer.get("failure"):
            case None:
                return BandToken(answer["text"], answer["version"])
            case "throttled":
                raise BandThrottledError(answer["retry_after_s"])
            case "link":
                raise BandLinkError(answer["why"])
            case _:
                raise BandUnavailableError(answer["why"])
