"""Reminders that come at a time of each member's own clock, until the last time zone has reached it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pymongo import ASCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.data.due import DueRows
from dbz.server.notification.wall_clock import instant
from dbz.server.seams import Indexes
from dbz.server.values.clock import utc_now

_EASTERNMOST, _WESTERNMOST = timedelta(hours=14), timedelta(hours=12)
_DAY = timedelta(days=1)

INDEXES = Indexes("notification_schedules", (IndexModel([("due_at", ASCENDING)]), IndexModel([("club_id", ASCENDING)])))


@dataclass(frozen=True)
class Schedule:
    """A reminder of a club."""

    id: str
    club_id: str
    kind: str
    data: dict[str, Any]
    """What is told: {title, body}, or what a template needs."""
    clock: time
    """The time of each member's clock."""
    day: date | None
    """The day on each member's calendar; None for the day before `starts_at`."""
    starts_at: datetime | None = None
    """When what it reminds of starts."""

    def instant_in(self, zone: ZoneInfo) -> datetime:
        """When it comes to members of a time zone, in UTC."""
        day = self.day
        if day is None:
            assert self.starts_at is not None, "one of both is given"
            day = self.starts_at.astimezone(zone).date() - _DAY
        return instant(datetime.combine(day, self.clock), zone)

    @property
    def first(self) -> datetime:
        """Before this no zone has reached it."""
        day = self.day or (self._start - 2 * _DAY).date()
        return datetime.combine(day, self.clock, UTC) - _EASTERNMOST

    @property
    def last(self) -> datetime:
        """Then the last zone has."""
        if self.day is None:
            return self._start
        return datetime.combine(self.day, self.clock, UTC) + _WESTERNMOST

    @property
    def _start(self) -> datetime:
        assert self.starts_at is not None, "one of both is given"
        return self.starts_at


class ScheduleStore:
    """Owner of the collection `notification_schedules`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due = DueRows(core, "notification_schedules")

    async def add(self, schedule: Schedule) -> None:
        """Store a schedule; one that is stored stays as it is."""
        row = {
            "club_id": schedule.club_id,
            "kind": schedule.kind,
            "data": schedule.data,
            "clock": f"{schedule.clock:%H:%M}",
            "day": schedule.day.isoformat() if schedule.day else None,
            "starts_at": schedule.starts_at,
            "due_at": max(schedule.first, utc_now()),
            "holder": "",
        }
        with self._core.queries.timed("notification_schedules.add"):
            await self._rows(schedule.club_id).update_one({"_id": schedule.id}, {"$setOnInsert": row}, upsert=True)

    async def of_kind(self, club_id: str, kind: str) -> list[Schedule]:
        """Those of a club, oldest first."""
        with self._core.queries.timed("notification_schedules.list"):
            rows = await self._rows(club_id).find({"club_id": club_id, "kind": kind}).sort("_id", 1).to_list()
        return [_schedule(row) for row in rows]

    async def cancel(self, club_id: str, schedule_id: str, kind: str) -> bool:
        """Nobody hears of it any more; False when there is no such schedule."""
        with self._core.queries.timed("notification_schedules.cancel"):
            found = {"_id": schedule_id, "club_id": club_id, "kind": kind}
            gone = await self._rows(club_id).delete_one(found)
        return bool(gone.deleted_count)

    async def take_due(self, lease_s: float) -> list[Schedule]:
        """Take those at which somebody has to look."""
        return [_schedule(row) for row in await self._due.take(lease_s)]

    async def look_again(self, schedule: Schedule, at: datetime) -> bool:
        """Leave it until then; False when it was cancelled, or another process has it."""
        return await self._change(schedule, {"$set": {"due_at": at, "holder": ""}})

    async def keep(self, schedule: Schedule, lease_s: float) -> bool:
        """Hold it for longer; False when it was cancelled, or another process has it."""
        return await self._change(schedule, {"$set": {"due_at": utc_now() + timedelta(seconds=lease_s)}})

    async def remove(self, schedule: Schedule) -> None:
        """Everybody has heard of it."""
        with self._core.queries.timed("notification_schedules.remove"):
            mine = {"_id": schedule.id, "holder": self._due.holder}
            await self._rows(schedule.club_id).delete_one(mine)

    async def _change(self, schedule: Schedule, change: dict[str, Any]) -> bool:
        with self._core.queries.timed("notification_schedules.change"):
            mine = {"_id": schedule.id, "holder": self._due.holder}
            done = await self._rows(schedule.club_id).update_one(mine, change)
        return bool(done.matched_count)

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["notification_schedules"]


def _schedule(row: dict[str, Any]) -> Schedule:
    day = date.fromisoformat(row["day"]) if row["day"] else None
    clock = time.fromisoformat(row["clock"])
    return Schedule(row["_id"], row["club_id"], row["kind"], row["data"], clock, day, row["starts_at"])
