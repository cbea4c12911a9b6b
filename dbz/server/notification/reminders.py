"""Reminders by each member's clock: what admins plan, and the evening before a game."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import Field
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.http import Body, Call, Reply, Route
from dbz.server.http.errors import ApiError, conflict, forbidden, not_found
from dbz.server.http.schemas import STRING, items, record
from dbz.server.notification.inbox import Inbox
from dbz.server.notification.preferences import Preferences, PreferenceStore
from dbz.server.notification.schedules import Schedule, ScheduleStore
from dbz.server.seams import Members
from dbz.server.values.clock import utc_now
from dbz.server.values.ids import new_id

Tell = Callable[[Schedule, str, Preferences], Awaitable[None]]
"""Tells one member; repeating it changes nothing."""
Players = Callable[[str, dict[str, Any]], Awaitable[list[str]]]
"""The players of a game that still takes place."""

PLANNED, EVE = "club.reminder", "game.eve"
_PATH = "/api/notifications/reminders"
_MOST = 50
_CHUNK = 20
"""Members who are told side by side, between two looks whether the reminder is still ours."""
_LOOK_AGAIN = timedelta(hours=1)
"""A member may meanwhile have come, or travelled to another time zone."""
_REMINDER = record(id=STRING, title=STRING, body=STRING, at=STRING)
_log = logging.getLogger(__name__)


class NewReminder(Body):
    """Body of a reminder to all members of the club, at a time of each member's clock."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(max_length=2000)] = ""
    at: Annotated[str, Field(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]$")]


class Reminders:
    """Plans reminders and looks after them; of all processes one at a time has a reminder."""

    def __init__(self, core: Core, members: Members, preferences: PreferenceStore, inbox: Inbox, tell: Tell) -> None:
        self._settings = core.settings.notifications
        self._members, self._preferences, self._inbox = members, preferences, inbox
        self._tell = tell
        self._store = ScheduleStore(core)
        self.players: Players | None = None
        self._tasks: list[asyncio.Task[None]] = []
        refused, planned = (403,), (403, 409)
        answer, listed = {201: _REMINDER}, {200: items(_REMINDER)}
        self.routes = (
            Route(
                "GET", _PATH, self.listed, "Reminders of the club", answers=listed, refusals=refused, cacheable=False
            ),
            Route("POST", _PATH, self.plan, "Remind all members", body=NewReminder, answers=answer, refusals=planned),
            Route("DELETE", f"{_PATH}/{{reminder_id}}", self.cancel, "Cancel a reminder", refusals=refused),
        )

    async def listed(self, call: Call) -> Reply:
        """GET /api/notifications/reminders."""
        return Reply({"items": [_shown(each) for each in await self._planned(call)]})

    async def plan(self, call: Call) -> Reply:
        """POST /api/notifications/reminders {title, body, at: `2026-12-24T18:00`}."""
        body: NewReminder = await call.body()
        if len(await self._planned(call)) >= _MOST:
            raise conflict("too_many", f"a club has at most {_MOST} reminders at a time")
        at = _moment(body.at)
        told = {"title": body.title, "body": body.body}
        schedule = Schedule(new_id(), call.reader.club_id, PLANNED, told, at.time(), at.date())
        if schedule.last <= utc_now():
            raise _invalid("this time is over in every time zone")
        await self._store.add(schedule)
        return Reply(_shown(schedule), 201)

    async def cancel(self, call: Call) -> Reply:
        """DELETE /api/notifications/reminders/{reminder_id}: who has not heard of it does not."""
        _need_admin(call)
        if not await self._store.cancel(call.reader.club_id, call.path["reminder_id"], PLANNED):
            raise not_found("reminder")
        return Reply({})

    async def before_game(self, club_id: str, data: dict[str, Any]) -> None:
        """The players of a game hear of it the evening before, if the settings want that."""
        if not self._settings.game_eve_at:
            return
        starts = datetime.fromtimestamp(data["starts_at_s"], UTC)
        clock = time.fromisoformat(self._settings.game_eve_at)
        schedule = Schedule(f"{data['game_id']}:eve", club_id, EVE, data, clock, None, starts)
        if schedule.last > utc_now():
            await self._store.add(schedule)

    def start(self) -> None:
        """Begin to look for reminders whose time has come somewhere."""
        self._tasks = [asyncio.create_task(self._work())]

    async def stop(self) -> None:
        """Others go on."""
        await end(self._tasks)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_s)
            try:
                for schedule in await self._store.take_due(self._settings.lease_s):
                    await self._look_at(schedule)
            except (PyMongoError, RedisError, OSError, TimeoutError) as error:
                _log.warning("reminders wait: %s", error)
            except Exception:
                _log.exception("a reminder failed; it is tried again")

    async def _look_at(self, schedule: Schedule) -> None:
        """Tell those whose clock has reached it and who do not know yet; then look again, or be done with it."""
        now = utc_now()
        coming = [now + _LOOK_AGAIN]
        audience = await self._audience(schedule)
        for start in range(0, len(audience), _CHUNK):
            coming += await self._remind(schedule, audience[start : start + _CHUNK], now)
            if not await self._store.keep(schedule, self._settings.lease_s):
                return
        if now >= schedule.last:
            await self._store.remove(schedule)
        else:
            await self._store.look_again(schedule, min(*coming, schedule.last))

    async def _remind(self, schedule: Schedule, user_ids: Iterable[str], now: datetime) -> list[datetime]:
        """Tell some members; when the clocks of the others reach it."""
        wishes = await self._preferences.of_all(schedule.club_id, user_ids)
        instants = {user_id: schedule.instant_in(mine.zone) for user_id, mine in wishes.items()}
        ripe = {f"{schedule.id}:{user_id}": user_id for user_id, at in instants.items() if at <= now}
        known = await self._inbox.delivered_of(schedule.club_id, list(ripe))
        wanted = [
            user_id
            for notification_id, user_id in ripe.items()
            if notification_id not in known and self._is_of_use(schedule, instants[user_id], wishes[user_id], now)
        ]
        await asyncio.gather(*(self._tell(schedule, user_id, wishes[user_id]) for user_id in wanted))
        return [at for at in instants.values() if at > now]

    def _is_of_use(self, schedule: Schedule, at: datetime, wishes: Preferences, now: datetime) -> bool:
        return at + timedelta(seconds=wishes.kind(schedule.kind).expires_s) > now

    async def _audience(self, schedule: Schedule) -> list[str]:
        if schedule.kind == PLANNED:
            return await self._members.of_club(schedule.club_id)
        assert self.players is not None, "the composition says who plays"
        return await self.players(schedule.club_id, schedule.data)

    async def _planned(self, call: Call) -> list[Schedule]:
        _need_admin(call)
        return await self._store.of_kind(call.reader.club_id, PLANNED)


def _need_admin(call: Call) -> None:
    if not call.reader.is_admin:
        raise forbidden("only an admin may remind the whole club")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _invalid("there is no such day or time") from None


def _invalid(what: str) -> ApiError:
    return ApiError(422, "invalid_body", "the body is not valid", problems=[{"where": "body.at", "what": what}])


def _shown(schedule: Schedule) -> dict[str, Any]:
    day = schedule.day.isoformat() if schedule.day else ""
    return {"id": schedule.id, **schedule.data, "at": f"{day}T{schedule.clock:%H:%M}"}
