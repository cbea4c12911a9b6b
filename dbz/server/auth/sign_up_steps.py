"""What the steps of the saga *sign-up* do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pymongo.errors import DuplicateKeyError

from dbz.cache.glob import escape
from dbz.server.core import Core
from dbz.server.sagas.definition import Action, SagaData, StepRefusedError
from dbz.server.seams import Announcer
from dbz.server.values.clock import utc_now


class BandLinker(Protocol):
    """Links accounts with Band."""

    async def link(self, user_id: str, code: str) -> None:
        """Link a user by what Band gave for it; doing it twice changes nothing; `StepRefusedError` when it cannot."""

    async def unlink(self, user_id: str) -> None:
        """Take that back; nothing when there is no link."""


class SignUpSteps:
    """Data: {saga_id, club_id, user_id, username, password_hash, name, band_code, email}.

    Until its last step an account is pending: its name is taken, and nobody can log in to it.
    """

    def __init__(self, core: Core, announcer: Announcer) -> None:
        self._core = core
        self._announcer = announcer
        self.band: BandLinker | None = None
        """None without a Band."""

    @property
    def actions(self) -> Mapping[str, Action]:
        """The actions by their names."""
        return {
            "account": self.account,
            "remove_account": self.remove_account,
            "band_link": self.band_link,
            "unlink_band": self.unlink_band,
            "club": self.club,
            "leave_club": self.leave_club,
            "welcome": self.welcome,
        }

    async def account(self, data: SagaData) -> None:
        """The user exists; refused when the name is somebody else's, or there is no such club."""
        if await self._club(data["club_id"]) is None:
            raise StepRefusedError("there is no such club")
        row = {"_id": data["user_id"], "sign_up": data["saga_id"], "pending": True, "club_id": None, "role": "member"}
        row |= {name: data[name] for name in ("username", "password_hash", "name")}
        row |= {"email": data["email"]} if data.get("email") else {}
        with self._core.queries.timed("users.sign_up"):
            try:
                await self._users.insert_one(row)
            except DuplicateKeyError:
                known = await self._users.find_one({"username": data["username"]}, {"sign_up": 1})
                if known is None or known.get("sign_up") != data["saga_id"]:
                    raise StepRefusedError("the user name is taken") from None

    async def remove_account(self, data: SagaData) -> None:
        """The name is free again."""
        with self._core.queries.timed("users.remove"):
            await self._users.delete_one({"_id": data["user_id"], "sign_up": data["saga_id"], "pending": True})
        await self._changed(data)

    async def band_link(self, data: SagaData) -> SagaData:
        """The user is linked with Band, if one is configured and the user asked for it."""
        if self.band is None or not data.get("band_code"):
            return {"linked": False}
        await self.band.link(data["user_id"], data["band_code"])
        return {"linked": True}

    async def unlink_band(self, data: SagaData) -> None:
        """There is no such link."""
        if self.band is not None and data.get("band_code"):
            await self.band.unlink(data["user_id"])

    async def club(self, data: SagaData) -> SagaData:
        """The user is a member of the club."""
        club = await self._club(data["club_id"])
        if club is None:
            raise StepRefusedError("there is no such club")
        mine = {"_id": data["user_id"], "sign_up": data["saga_id"]}
        member = {"club_id": data["club_id"], "joined_at": utc_now()}
        with self._core.queries.timed("users.join"):
            await self._users.update_one({**mine, "pending": True}, {"$set": member, "$unset": {"pending": ""}})
        await self._changed(data)
        return {"name": club["name"]}

    async def leave_club(self, data: SagaData) -> None:
        """The user is none."""
        mine = {"_id": data["user_id"], "sign_up": data["saga_id"]}
        with self._core.queries.timed("users.leave"):
            await self._users.update_one(mine, {"$set": {"pending": True, "club_id": None}})
        await self._changed(data)

    async def welcome(self, data: SagaData) -> None:
        """The new member is greeted."""
        told = {"event_id": f"{data['saga_id']}:welcome", "user_ids": [data["user_id"]], "member_name": data["name"]}
        await self._announcer.tell("member.joined", data["club_id"], {**told, "club_name": data["club"]["name"]})

    async def _club(self, club_id: str) -> dict[str, Any] | None:
        with self._core.queries.timed("clubs.by_id"):
            return await self._core.router.directory["clubs"].find_one({"_id": club_id}, {"name": 1})

    async def _changed(self, data: SagaData) -> None:
        club_id = escape(data["club_id"])
        keys = f"member:{escape(data['user_id'])}", f"club:{club_id}", f"query:members:{club_id}:*"
        await self._core.cache.invalidate(*keys)

    @property
    def _users(self) -> Any:
        return self._core.router.directory["users"]
