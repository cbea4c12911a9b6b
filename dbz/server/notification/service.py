"""Routes of notification, and what its jobs do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.clock import now_ms, utc_now
from dbz.server.core import Core
from dbz.server.http import Body, Call, Fields, Moment, Reply, Route
from dbz.server.http.errors import not_found
from dbz.server.http.pages import DEFAULT_LIMIT, Limit
from dbz.server.http.schemas import NOTIFICATION, STRING, items, record
from dbz.server.ids import new_id
from dbz.server.notification.inbox import Inbox
from dbz.server.notification.outbox import Outbox
from dbz.server.notification.queue import Job, Queue, StreamQueue
from dbz.server.notification.templates import Templates
from dbz.server.notification.worker import Worker
from dbz.server.seams import Emitter, EventHandler, Indexes, Members
from dbz.server.settings import Notifications

Audience = Callable[[str, dict[str, Any]], Awaitable[list[str]]]

_log = logging.getLogger(__name__)
_SWEEP_S = 0.25
_OVERDUE_EVERY = 8


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
    Indexes("notification_outbox", (IndexModel([("check_at", ASCENDING)]), IndexModel([("club_id", ASCENDING)]))),
)


class NotificationService:
    """Takes what is to be told, and tells it. `audiences` say who hears of an event that names nobody."""

    name = "notification"
    indexes = INDEXES

    def __init__(self, core: Core, members: Members, emitter: Emitter, queue: Queue) -> None:
        settings = core.settings.notifications
        self._members = members
        self._emitter = emitter
        self._queue = queue
        self._reminder = timedelta(seconds=settings.game_reminder_s)
        self._inbox = Inbox(core)
        self._outbox = Outbox(core, grace_s=2 * settings.claim_after_s)
        self._templates = Templates(core)
        self._worker = Worker(queue, self._outbox, settings, {"deliver": self._deliver, "event": self._tell})
        self._tasks: list[asyncio.Task[None]] = []
        self.audiences: dict[str, Audience] = {}
        self.events: dict[str, EventHandler] = {}
        path = "/api/notifications"
        mine = {200: items(NOTIFICATION)}
        self.routes = (
            Route("GET", path, self.list_mine, "Mine", query=InboxQuery, answers=mine, cacheable=False),
            Route("POST", path, self.create, "Notify", body=NewNotification, answers={202: record(id=STRING)}),
        )

    async def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [asyncio.create_task(self._worker.run()), asyncio.create_task(self._sweep())]

    async def stop(self) -> None:
        """Stop delivering; what is promised stays in the queue and the outbox for others."""
        await end(self._tasks)

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
        await self._promise(job, body.send_at or utc_now())
        return Reply({"id": job["id"]}, 202)

    async def happened(self, kind: str, club_id: str, data: dict[str, Any]) -> None:
        """See `Events`."""
        due_at = utc_now()
        if kind == "game.planned":
            starts = datetime.fromtimestamp(data["starts_at_s"], UTC)
            kind, due_at = "game.starting", starts - self._reminder
            data = {"event_id": f"{data['game_id']}:starting", "starts_at": f"{starts:%H:%M} UTC", **data}
            if starts < utc_now():
                return
        job = {"id": data["event_id"], "kind": "event", "event": kind, "club_id": club_id, "data": data}
        try:
            await self._promise(job, due_at)
        except (PyMongoError, OSError, TimeoutError) as error:
            _log.error("an event was not told: %s", error, extra={"event": kind, "event_id": job["id"]})

    async def _promise(self, job: Job, due_at: datetime) -> None:
        job = {**job, "due_s": due_at.timestamp()}
        await self._outbox.add(job, due_at)
        try:
            await self._queue.put(job, max(0.0, (due_at - utc_now()).total_seconds()))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("a notification is late, the queue is away: %s", error)

    async def _tell(self, job: Job) -> None:
        """An event becomes one notification for each member who hears of it; ids make a repetition harmless."""
        kind, club_id, data = job["event"], job["club_id"], job["data"]
        title, body = await self._templates.render(kind, data)
        audience = data.get("user_ids")
        if audience is None:
            audience = await self.audiences[kind](club_id, data)
        for user_id in audience:
            await self._deliver(_delivery(f"{job['id']}:{user_id}", club_id, user_id, kind, title, body))

    async def _deliver(self, job: Job) -> None:
        club_id, user_id, event = job["club_id"], job["user_id"], {**job["event"], "timestamp": now_ms()}
        if await self._inbox.add(club_id, user_id, event):
            self._emitter.emit("notification:new", event, f"user:{user_id}")
            await self._inbox.delivered(club_id, event["id"])

    async def _sweep(self) -> None:
        """Move scheduled jobs that are due, and put back promised ones that the queue has lost."""
        rounds = 0
        while True:
            await asyncio.sleep(_SWEEP_S)
            rounds += 1
            try:
                if isinstance(self._queue, StreamQueue):
                    await self._queue.promote()
                if rounds % _OVERDUE_EVERY == 0:
                    for job in await self._outbox.overdue():
                        await self._queue.put(job)
            except (RedisError, PyMongoError, OSError, TimeoutError) as error:
                _log.warning("the schedule of notifications waits: %s", error)


def open_queue(redis: Redis, settings: Notifications) -> Queue:
    """The queue behind notifications: SQS when a queue URL is set, else Redis Streams."""
    if settings.sqs_queue_url:
        from dbz.server.notification.sqs import SqsQueue

        return SqsQueue(settings)
    return StreamQueue(redis, settings)


def _delivery(job_id: str, club_id: str, user_id: str, kind: str, title: str, body: str) -> Job:
    event = {"id": job_id, "type": kind, "title": title[:200], "body": body[:2000]}
    return {"id": job_id, "kind": "deliver", "club_id": club_id, "user_id": user_id, "event": event}
