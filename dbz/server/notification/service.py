"""Routes of notification, and what its jobs do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.events import EventHub
from dbz.server.events.queue import Job
from dbz.server.http import Body, Call, Fields, Moment, Reply, Route
from dbz.server.http.errors import not_found
from dbz.server.http.pages import DEFAULT_LIMIT, Limit
from dbz.server.http.schemas import NOTIFICATION, STRING, items, record
from dbz.server.notification import devices, preferences, schedules
from dbz.server.notification.inbox import Inbox
from dbz.server.notification.letters import Letters
from dbz.server.notification.mine import MyNotifications
from dbz.server.notification.preferences import IN_APP, Preferences
from dbz.server.notification.reminders import PLANNED, Reminders
from dbz.server.notification.schedules import Schedule
from dbz.server.notification.sending import held, ledger
from dbz.server.notification.sending.channels import ToldNotification
from dbz.server.notification.sending.outside import Outside
from dbz.server.notification.templates import Templates
from dbz.server.notification.unsubscribe import Unsubscribe
from dbz.server.seams import Emitter, EventHandler, Indexes, Members
from dbz.server.values.clock import now_ms, utc_now
from dbz.server.values.ids import new_id

Audience = Callable[[str, dict[str, Any]], Awaitable[list[str]]]


class NewNotification(Body):
    """Body of a notification to another member of the club; with `send_at` it is sent then."""

    model_config = ConfigDict(strict=False)

    user_id: Annotated[str, Field(strict=True, min_length=1, max_length=100)]
    type: Annotated[str, Field(strict=True, min_length=1, max_length=50)]
    title: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    body: Annotated[str, Field(strict=True, max_length=2000)] = ""
    send_at: Moment | None = None


class InboxQuery(Fields):
    """How many of the newest notifications."""

    limit: Limit = DEFAULT_LIMIT


INDEXES = (
    Indexes(
        "notifications", (IndexModel([("club_id", ASCENDING), ("user_id", ASCENDING), ("timestamp", DESCENDING)]),)
    ),
    devices.INDEXES,
    held.INDEXES,
    ledger.INDEXES,
    preferences.INDEXES,
    schedules.INDEXES,
)


class NotificationService:
    """Takes what is to be told, and tells it. `audiences` say who hears of an event that names nobody."""

    name = "notification"
    indexes = INDEXES

    def __init__(self, core: Core, members: Members, emitter: Emitter, hub: EventHub) -> None:
        self._members = members
        self._emitter = emitter
        self._hub = hub
        self._reminder = timedelta(seconds=core.settings.notifications.game_reminder_s)
        self._inbox = Inbox(core)
        self._templates = Templates(core)
        self._mine = MyNotifications(core)
        self._preferences = self._mine.preferences
        unsubscribe = Unsubscribe(core, self._preferences)
        self._outside = Outside(core, hub, members, self._mine, Letters(unsubscribe.links).worded)
        self.reminders = Reminders(core, members, self._preferences, self._inbox, self._remind_member)
        hub.performers["deliver"] = self._deliver
        hub.subscribe("*", self._tell)
        self.audiences: dict[str, Audience] = {}
        self.events: dict[str, EventHandler] = {}
        path = "/api/notifications"
        mine = {200: items(NOTIFICATION)}
        self.routes = (
            Route("GET", path, self.list_mine, "Mine", query=InboxQuery, answers=mine, cacheable=False),
            Route("POST", path, self.create, "Notify", body=NewNotification, answers={202: record(id=STRING)}),
            *self._mine.routes,
            *unsubscribe.routes,
            *self.reminders.routes,
        )

    async def start(self) -> None:
        """The hub delivers; what waits for its time is looked after here."""
        self._outside.start()
        self.reminders.start()

    async def stop(self) -> None:
        """What is promised stays with the hub, what waits in the store."""
        await self.reminders.stop()
        await self._outside.stop()

    async def list_mine(self, call: Call) -> Reply:
        """GET /api/notifications."""
        reader = call.reader
        return Reply({"items": await self._inbox.latest(reader.club_id, reader.user_id, call.query.limit)})

    async def create(self, call: Call) -> Reply:
        """POST /api/notifications: 202 once the promise is stored."""
        body: NewNotification = await call.body()
        club_id = call.reader.club_id
        if await self._members.club_of(body.user_id) != club_id:
            raise not_found("member")
        job = _delivery(new_id(), club_id, body.user_id, body.type, body.title, body.body)
        await self._hub.promise(job, body.send_at or utc_now())
        return Reply({"id": job["id"]}, 202)

    async def _tell(self, job: Job) -> None:
        """An event becomes one notification for each member who hears of it; ids make a repetition harmless."""
        kind, club_id, data = job["event"], job["club_id"], job["data"]
        if kind == "game.planned":
            await self.reminders.before_game(club_id, data)
            await self._remind(club_id, data)
            return
        await self._templates.render(kind, data)  # a kind that nobody knows is a fault, whoever would hear of it
        audience = data.get("user_ids")
        if audience is None:
            audience = await self.audiences[kind](club_id, data)
        wishes = await self._preferences.of_all(club_id, audience)
        for user_id, mine in wishes.items():
            title, body = await self._templates.render(kind, _in_zone(data, mine), mine.language)
            told = _delivery(f"{job['id']}:{user_id}", club_id, user_id, kind, title, body)
            await self._deliver({**told, "urgent": mine.kind(kind).urgent})

    async def _remind(self, club_id: str, data: dict[str, Any]) -> None:
        """Its players hear of a game some time before it starts."""
        starts = datetime.fromtimestamp(data["starts_at_s"], UTC)
        if starts < utc_now():
            return
        told = {**data, "event_id": f"{data['game_id']}:starting"}
        job = {"id": told["event_id"], "kind": "event", "event": "game.starting", "club_id": club_id, "data": told}
        await self._hub.promise(job, starts - self._reminder)

    async def _remind_member(self, schedule: Schedule, user_id: str, wishes: Preferences) -> None:
        if schedule.kind == PLANNED:
            title, body = schedule.data["title"], schedule.data["body"]
        else:
            data = _in_zone(schedule.data, wishes)
            title, body = await self._templates.render(schedule.kind, data, wishes.language)
        told = _delivery(f"{schedule.id}:{user_id}", schedule.club_id, user_id, schedule.kind, title, body)
        await self._deliver({**told, "urgent": wishes.kind(schedule.kind).urgent})

    async def _deliver(self, job: Job) -> None:
        """Into the inbox, to the member's sockets, and on to what is outside of the app; again after a crash."""
        club_id, user_id, event = job["club_id"], job["user_id"], {**job["event"], "timestamp": now_ms()}
        wishes = await self._preferences.of(club_id, user_id)
        in_app = wishes.wants(event["type"], IN_APP)
        first = await self._inbox.add(club_id, user_id, event, listed=in_app)
        if first is None:
            return
        if in_app:
            self._emitter.emit("notification:new", first, f"user:{user_id}")
        # Only what happened is urgent, never what a member calls so.
        await self._outside.hand_on(ToldNotification(club_id, user_id, first, bool(job.get("urgent"))), wishes)
        await self._inbox.delivered(club_id, first["id"])


def _in_zone(data: dict[str, Any], wishes: Preferences) -> dict[str, Any]:
    """The event's data, with its time as the member's clock shows it."""
    if "starts_at_s" not in data:
        return data
    starts = datetime.fromtimestamp(data["starts_at_s"], wishes.zone)
    return {**data, "starts_at": f"{starts:%H:%M %Z}"}


def _delivery(job_id: str, club_id: str, user_id: str, kind: str, title: str, body: str) -> Job:
    event = {"id": job_id, "type": kind, "title": title[:200], "body": body[:2000]}
    return {"id": job_id, "kind": "deliver", "club_id": club_id, "user_id": user_id, "event": event}
