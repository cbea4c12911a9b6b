"""What a service asks of others when they are processes of their own: the seams, over HTTP."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from dbz.server.apart.paths import ADDRESS, AUDIENCE, ENDED, MEMBERS_OF, PICTURE, PROFILES
from dbz.server.core import Core
from dbz.server.http.errors import ApiError
from dbz.server.mesh import MeshClient
from dbz.server.values.clock import utc_now

_REMEMBERED = 5000


class RemoteMembers:
    """See `Profiles` and `Members`; while auth is away, what it said last."""

    def __init__(self, core: Core, mesh: MeshClient) -> None:
        self._core = core
        self._mesh = mesh
        self._last: OrderedDict[str, Any] = OrderedDict()

    async def profiles(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See `Profiles`."""
        keys = [f"member:{user_id}" for user_id in dict.fromkeys(user_ids)]
        try:
            found = await self._core.cache.get_many(keys, self._load, self._core.settings.cache.default_ttl_s)
        except ApiError:
            found = {key: self._last[key] for key in keys if key in self._last}
            if len(found) < len(keys):
                raise
        self._remember(found)
        return {key.removeprefix("member:"): profile for key, profile in found.items()}

    async def club_of(self, user_id: str) -> str | None:
        """See `Members`."""
        profile = (await self.profiles([user_id])).get(user_id)
        return profile["club_id"] if profile else None

    async def of_club(self, club_id: str) -> list[str]:
        """See `Members`; `ConnectionError` while auth is away."""
        return list(await _ask(self._mesh, "auth", MEMBERS_OF, {"club_id": club_id}))

    async def address_of(self, user_id: str) -> str | None:
        """See `Members`; `ConnectionError` while auth is away."""
        answer = await _ask(self._mesh, "auth", ADDRESS, {"user_id": user_id})
        return None if answer["email"] is None else str(answer["email"])

    async def _load(self, keys: list[str]) -> dict[str, Any]:
        ids = [key.removeprefix("member:") for key in keys]
        profiles = await self._mesh.ask("auth", PROFILES, {"user_ids": ids})
        return {f"member:{user_id}": profile for user_id, profile in profiles.items()}

    def _remember(self, found: dict[str, Any]) -> None:
        for key, profile in found.items():
            self._last[key] = profile
            self._last.move_to_end(key)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)


class RemoteAudience:
    """Who hears of an event that names nobody; answered by game."""

    def __init__(self, mesh: MeshClient) -> None:
        self._mesh = mesh

    async def __call__(self, club_id: str, data: dict[str, Any]) -> list[str]:
        """Ids of users; `ConnectionError` while game is away, so that the event waits."""
        return list(await _ask(self._mesh, "game", AUDIENCE, {"club_id": club_id, "data": data}))


class RemotePictures:
    """See `Pictures`; answered by media."""

    def __init__(self, mesh: MeshClient) -> None:
        self._mesh = mesh

    async def has(self, club_id: str, media_id: str) -> bool:
        """See `Pictures`; a refusal with 503 while media is away."""
        answer = await self._mesh.ask("media", PICTURE, {"club_id": club_id, "media_id": media_id})
        return bool(answer["has"])


class RemoteEnds:
    """The sessions that ended, as auth knows them."""

    def __init__(self, mesh: MeshClient, looking_back_s: float) -> None:
        self._mesh = mesh
        self._since = utc_now() - timedelta(seconds=looking_back_s)

    async def latest(self) -> list[str]:
        """Those that ended since this was asked last; `ConnectionError` while auth is away."""
        answer = await _ask(self._mesh, "auth", ENDED, {"since": self._since.isoformat()})
        self._since = datetime.fromisoformat(answer["next"])
        return list(answer["session_ids"])


async def _ask(mesh: MeshClient, service: str, path: str, body: dict[str, Any]) -> Any:
    """What a service says; `ConnectionError` while it is away, so that whoever can wait does."""
    try:
        return await mesh.ask(service, path, body)
    except ApiError as error:
        raise ConnectionError(error.message) from error
