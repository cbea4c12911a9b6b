"""The phones and browsers of members that pushes can reach."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pymongo import ASCENDING, DESCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.http import Body
from dbz.server.notification.wall_clock import zone_of
from dbz.server.seams import Indexes
from dbz.server.values.clock import iso, utc_now

Platform = Literal["apns", "fcm"]
Device = dict[str, Any]

_MOST = 20
_LIFE = timedelta(days=270)
"""FCM calls a token stale after 270 days without a sign of life, and apps register at each start."""

INDEXES = Indexes(
    "devices",
    (
        IndexModel([("user_id", ASCENDING), ("seen_at", DESCENDING)]),
        IndexModel([("seen_at", ASCENDING)], expireAfterSeconds=int(_LIFE.total_seconds())),
    ),
    shared=True,
)


def _known_zone(name: str) -> str:
    if zone_of(name) is None:
        raise ValueError("must be a time zone of the IANA database, like Asia/Seoul")
    return name


TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_known_zone)]


class NewDevice(Body):
    """Body of a registration; apps send it at each start."""

    platform: Platform
    token: Annotated[str, Field(min_length=20, max_length=4096, pattern=r"^[A-Za-z0-9:_-]+$")]
    app_version: Annotated[str, Field(max_length=50)] = ""
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _is_a_token(self) -> NewDevice:
        if self.platform == "apns" and not (len(self.token) <= 200 and _is_hex(self.token)):
            raise ValueError("a token of APNs is written in hexadecimal digits")
        return self


class Devices:
    """Owner of the collection `devices`, which lies in the directory.

    A device is found by its token, whoever used it before, in whichever club: it belongs to who registered it last.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def register(self, user_id: str, club_id: str, device: NewDevice) -> Device:
        """The device is this user's, and nobody else's any more."""
        row = {"user_id": user_id, "club_id": club_id, **device.model_dump(), "seen_at": utc_now()}
        row["_id"] = _id_of(device.platform, device.token)
        with self._core.queries.timed("devices.register"):
            await self._rows.replace_one({"_id": row["_id"]}, row, upsert=True)
            mine = await self._rows.find({"user_id": user_id}, {"_id": 1}).sort("seen_at", -1).to_list()
            if len(mine) > _MOST:
                old = [each["_id"] for each in mine[_MOST:]]
                await self._rows.delete_many({"_id": {"$in": old}, "user_id": user_id})
        return row

    async def unregister(self, user_id: str, device_id: str) -> bool:
        """The device gets nothing any more; False when it is none of this user's."""
        with self._core.queries.timed("devices.unregister"):
            gone = await self._rows.delete_one({"_id": device_id, "user_id": user_id})
        return bool(gone.deleted_count)

    async def of(self, user_id: str) -> list[Device]:
        """All devices of a user, the one that was seen last first."""
        with self._core.queries.timed("devices.of"):
            return await self._rows.find({"user_id": user_id}).sort("seen_at", -1).to_list()  # type: ignore[no-any-return]

    async def reachable(self, user_id: str, platforms: list[str]) -> list[Device]:
        """Those that a provider has not refused."""
        return [each for each in await self.of(user_id) if each["platform"] in platforms and "refused" not in each]

    async def bury(self, device: Device, since_ms: int | None) -> None:
        """The provider says that the token is dead; a registration that is newer than that stays."""
        seen_at: datetime = device["seen_at"]
        if since_ms is not None and seen_at.timestamp() * 1000 > since_ms:
            return
        with self._core.queries.timed("devices.bury"):
            await self._rows.delete_one({"_id": device["_id"], "seen_at": seen_at})

    async def refuse(self, device: Device, reason: str) -> None:
        """The provider does not know the token: left alone until its app registers again."""
        with self._core.queries.timed("devices.refuse"):
            found = {"_id": device["_id"], "seen_at": device["seen_at"]}
            await self._rows.update_one(found, {"$set": {"refused": reason}})

    @property
    def _rows(self) -> Any:
        return self._core.router.directory["devices"]


def shown(device: Device) -> dict[str, Any]:
    """A device as its user sees it; of its token only the end."""
    told = {key: device[key] for key in ("platform", "app_version", "time_zone")}
    ending = f"…{device['token'][-6:]}"
    return {"id": device["_id"], **told, "token": ending, "seen_at": iso(device["seen_at"]),
            "refused": device.get("refused")}  # fmt: skip


def _id_of(platform: str, token: str) -> str:
    # Apple's digits may be written large or small.
    same = token.lower() if platform == "apns" else token
    return f"{platform}-{blake2b(same.encode(), digest_size=16).hexdigest()}"


def _is_hex(token: str) -> bool:
    return len(token) >= 64 and len(token) % 2 == 0 and all(each in "0123456789abcdefABCDEF" for each in token)
