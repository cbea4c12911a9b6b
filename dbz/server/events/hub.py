"""Who hears of what: events are promised in the outbox, travel through the queue, and reach each of their consumers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.events.outbox import INDEXES, Outbox
from dbz.server.events.queue import Job, Queue, StreamQueue
from dbz.server.events.worker import Perform, Worker
from dbz.server.http import Route
from dbz.server.seams import EventHandler
from dbz.server.settings import QueueSettings
from dbz.server.values.clock import utc_now
from dbz.server.values.ids import new_id

Consumer = Callable[[Job], Awaitable[None]]
"""Takes an event: {id, event (its kind), club_id, data}. It may come twice, and must have the effect of once."""

_log = logging.getLogger(__name__)
_SWEEP_S = 0.25
_OVERDUE_EVERY = 8


class EventHub:
    """Promises jobs and carries them out. Services add a performer for each kind of job that is theirs."""

    name = "events"
    indexes = INDEXES

    def __init__(self, core: Core, queue: Queue) -> None:
        settings = core.settings.queue
        self._queue = queue
        self._outbox = Outbox(core, grace_s=2 * settings.claim_after_s)
        self.performers: dict[str, Perform] = {"event": self._to_consumers}
        self._consumers: list[tuple[str, Consumer]] = []
        self._worker = Worker(queue, self._outbox, settings, self.performers)
        self._tasks: list[asyncio.Task[None]] = []
        self.events: dict[str, EventHandler] = {}
        self.routes: tuple[Route, ...] = ()

    def subscribe(self, kind: str, consumer: Consumer) -> None:
        """Have a consumer hear of every event of a kind; `*` is every kind."""
        self._consumers.append((kind, consumer))

    async def start(self) -> None:
        """Begin to carry jobs out."""
        self._tasks = [asyncio.create_task(self._worker.run()), asyncio.create_task(self._sweep())]

    async def stop(self) -> None:
        """Stop; what is promised stays in the queue and the outbox for others."""
        await end(self._tasks)

    async def happened(self, kind: str, club_id: str, data: dict[str, Any]) -> None:
        """See `Events`."""
        try:
            await self.tell(kind, club_id, data)
        except (PyMongoError, OSError, TimeoutError) as error:
            _log.error("an event was not told: %s", error, extra={"event": kind, "event_id": data["event_id"]})

    async def tell(self, kind: str, club_id: str, data: dict[str, Any], aggregate: str = "") -> None:
        """See `Announcer`."""
        job = {"id": data["event_id"], "kind": "event", "event": kind, "club_id": club_id, "data": data}
        await self.promise({**job, "aggregate": aggregate, "order": new_id()} if aggregate else job, utc_now())

    async def promise(self, job: Job, due_at: datetime) -> None:
        """Store a job, {id, kind, club_id, …}, and put it on the queue for the time that it is due at."""
        job = {**job, "due_s": due_at.timestamp()}
        await self._outbox.add(job, due_at)
        try:
            await self._queue.put(job, max(0.0, (due_at - utc_now()).total_seconds()))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("a job is late, the queue is away: %s", error)

    async def _to_consumers(self, job: Job) -> None:
        """One consumer that fails keeps the event from no other; the event then comes again."""
        failures: list[Exception] = []
        consumers = [consumer for kind, consumer in self._consumers if kind in ("*", job["event"])]
        for consumer in consumers:
            try:
                await consumer(job)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

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
                _log.warning("the schedule of the queue waits: %s", error)


def open_queue(redis: Redis, settings: QueueSettings) -> Queue:
    """The queue between services: SQS when a queue URL is set, else Redis Streams."""
    if settings.sqs_queue_url:
        from dbz.server.events.sqs import SqsQueue

        return SqsQueue(settings)
    return StreamQueue(redis, settings)
