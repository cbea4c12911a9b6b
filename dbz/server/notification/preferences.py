"""What each member wants to hear, on which way, and when not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from pymongo import ASCENDING, IndexModel

from dbz.cache.glob import escape
from dbz.server.core import Core
from dbz.server.http import Body
from dbz.server.notification.devices import TimeZone
from dbz.server.notification.wall_clock import QuietHours, zone_of
from dbz.server.seams import Indexes
from dbz.server.settings import NotificationKind, Notifications

PUSH, EMAIL, IN_APP = "push", "email", "in_app"
CHANNELS = (PUSH, EMAIL, IN_APP)
LANGUAGES = ("en", "ko", "de")
ALL_KINDS = "*"

INDEXES = Indexes("notification_preferences", (IndexModel([("club_id", ASCENDING)]),))

_Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_KindName = Annotated[str, Field(pattern=r"^(\*|[\w.-]{1,50})$")]


class QuietTimes(Body):
    """From when to when, by the member's wall clock; over midnight when `end` is earlier."""

    start: _Clock
    end: _Clock

    @model_validator(mode="after")
    def _differ(self) -> QuietTimes:
        if self.start == self.end:
            raise ValueError("quiet hours that end when they begin are none: leave them out, or turn channels off")
        return self


class WantedChannels(Body):
    """Which ways; those that are left out are as the kind has them."""

    push: bool | None = None
    email: bool | None = None
    in_app: bool | None = None


class NewPreferences(Body):
    """Body that replaces a member's preferences; `kinds` may have `*` for all that are not named."""

    time_zone: TimeZone | None = None
    language: Literal["en", "ko", "de"] | None = None
    quiet_hours: QuietTimes | None = None
    kinds: Annotated[dict[_KindName, WantedChannels], Field(default_factory=dict, max_length=100)]


@dataclass(frozen=True)
class Preferences:
    """Those of one member, with what holds where he has said nothing."""

    row: Mapping[str, Any]
    """As it is stored; empty for a member who has said nothing."""
    defaults: Notifications

    def wants(self, kind: str, channel: str) -> bool:
        """Whether a member is told of a kind on a way: by his word on the kind, on all kinds, then by the defaults."""
        for name in (kind, ALL_KINDS):
            for answer, key in ((True, "on"), (False, "off")):
                if f"{channel}:{name}" in self.row.get(key, ()):
                    return answer
        return bool(getattr(self.kind(kind), channel))

    def kind(self, kind: str) -> NotificationKind:
        """The settings of a kind."""
        return self.defaults.kinds.get(kind) or self.defaults.kinds.get(ALL_KINDS) or NotificationKind()

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet hours that `now` falls into end; None outside of them."""
        quiet = self.row.get("quiet_hours")
        if not quiet:
            return None
        hours = QuietHours(time.fromisoformat(quiet["start"]), time.fromisoformat(quiet["end"]))
        return hours.until(now, self.zone)

    @property
    def zone(self) -> ZoneInfo:
        """The member's time zone: what he chose, else that of the device that he used last, else the server's."""
        for name in (self.row.get("time_zone"), self.row.get("device_time_zone"), self.defaults.time_zone):
            zone = zone_of(name) if name else None
            if zone is not None:
                return zone
        return ZoneInfo("UTC")

    @property
    def language(self) -> str:
        """The language of what he is told."""
        return self.row.get("language") or self.defaults.language

    def shown(self) -> dict[str, Any]:
        """As the member sees them."""
        kinds: dict[str, dict[str, bool]] = {}
        for answer, key in ((True, "on"), (False, "off")):
            for each in self.row.get(key, ()):
                channel, _, kind = each.partition(":")
                kinds.setdefault(kind, {})[channel] = answer
        names = {*self.defaults.kinds, *kinds}
        told = {key: self.row.get(key) for key in ("time_zone", "language", "quiet_hours")}
        in_force = {name: {each: self.wants(name, each) for each in CHANNELS} for name in sorted(names)}
        return {**told, "kinds": kinds, "in_force": {"time_zone": str(self.zone), "language": self.language,
                "kinds": in_force}}  # fmt: skip


class PreferenceStore:
    """Owner of the collection `notification_preferences`: a document for each member who has said something."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._defaults = core.settings.notifications

    async def of(self, club_id: str, user_id: str) -> Preferences:
        """Those of one member."""
        return (await self.of_all(club_id, [user_id]))[user_id]

    async def of_all(self, club_id: str, user_ids: Iterable[str]) -> dict[str, Preferences]:
        """Those of some members of a club."""
        keys = [f"preferences:{user_id}" for user_id in dict.fromkeys(user_ids)]

        async def load(missing: list[str]) -> dict[str, Any]:
            ids = [key.removeprefix("preferences:") for key in missing]
            with self._core.queries.timed("preferences.of"):
                found = await self._rows(club_id).find({"_id": {"$in": ids}, "club_id": club_id}).to_list()
            rows = {row["_id"]: row for row in found}
            return {f"preferences:{user_id}": rows.get(user_id, {}) for user_id in ids}

        rows = await self._core.cache.get_many(keys, load, self._core.settings.cache.default_ttl_s)
        return {key.removeprefix("preferences:"): Preferences(row, self._defaults) for key, row in rows.items()}

    async def replace(self, club_id: str, user_id: str, given: NewPreferences) -> None:
        """A member has said all of it anew."""
        said = [
            (answer, f"{channel}:{kind}")
            for kind, channels in given.kinds.items()
            for channel, answer in channels.model_dump().items()
            if answer is not None
        ]
        row = given.model_dump(exclude={"kinds"})
        row |= {"on": [what for on, what in said if on], "off": [what for on, what in said if not on]}
        await self._change(club_id, user_id, {"$set": row})

    async def turn_off(self, club_id: str, user_id: str, channel: str, kind: str) -> None:
        """A member wants no more of a kind on a way; `*`: of no kind at all."""
        what = f"{channel}:{kind}"
        known = await self.of(club_id, user_id)
        asked = [each for each in known.row.get("on", ()) if each.startswith(f"{channel}:")]
        ended = asked if kind == ALL_KINDS else [what]
        await self._change(club_id, user_id, {"$addToSet": {"off": what}, "$pull": {"on": {"$in": ended}}})

    async def seen_in(self, club_id: str, user_id: str, time_zone: str) -> None:
        """The member's device is in this zone."""
        known = await self.of(club_id, user_id)
        if known.row.get("device_time_zone") != time_zone:
            await self._change(club_id, user_id, {"$set": {"device_time_zone": time_zone}})

    async def bounced(self, club_id: str, user_id: str, address: str) -> None:
        """Nobody is at this e-mail address of the member."""
        await self._change(club_id, user_id, {"$set": {"bounced": address}})

    async def _change(self, club_id: str, user_id: str, change: dict[str, Any]) -> None:
        with self._core.queries.timed("preferences.change"):
            found = {"_id": user_id}
            await self._rows(club_id).update_one(found, {**change, "$setOnInsert": {"club_id": club_id}}, upsert=True)
        await self._core.cache.invalidate(f"preferences:{escape(user_id)}")

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["notification_preferences"]
