"""Jobs that were promised but not finished, in the document store: the queue may lose its memory, this may not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.data.stores import Database
from dbz.server.events.queue import Job
from dbz.server.seams import Indexes
from dbz.server.values.clock import utc_now

_BATCH = 100

INDEXES = (
    Indexes(
        "outbox",
        (
            IndexModel([("check_at", ASCENDING)]),
            IndexModel([("club_id", ASCENDING)]),
            IndexModel([("aggregate", ASCENDING), ("order", ASCENDING)], sparse=True),
        ),
    ),
)


class Outbox:
    """Owner of the collection `outbox`."""

    def __init__(self, core: Core, grace_s: float) -> None:
        self._core = core
        self._grace = timedelta(seconds=grace_s)

    async def add(self, job: Job, due_at: datetime) -> None:
        """Promise a job; one that was promised before stays as it is."""
        row = {"_id": job["id"], "club_id": job["club_id"], "job": job, "check_at": due_at + self._grace}
        if job.get("aggregate"):
            row |= {"aggregate": job["aggregate"], "order": job["order"]}
        with self._core.queries.timed("outbox.add"):
            await self._rows(job["club_id"]).update_one({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True)

    async def put_off(self, job: Job, due_at: datetime) -> None:
        """The job is promised for later, as it is now."""
        with self._core.queries.timed("outbox.put_off"):
            change = {"$set": {"job": job, "check_at": due_at + self._grace}}
            await self._rows(job["club_id"]).update_one({"_id": job["id"]}, change)

    async def remove(self, job: Job) -> None:
        """The job is finished, or buried."""
        with self._core.queries.timed("outbox.remove"):
            await self._rows(job["club_id"]).delete_one({"_id": job["id"]})

    async def overdue(self) -> list[Job]:
        """Promised jobs that should long be finished; each is handed out again only after another grace period."""
        now = utc_now()

        async def late(database: Database) -> list[dict[str, Any]]:
            with self._core.queries.timed("outbox.overdue"):
                return await database["outbox"].find({"check_at": {"$lt": now}}).limit(_BATCH).to_list()

        jobs: list[Job] = []
        for rows in await self._core.router.on_every_shard(late):
            for row in rows:
                # Where its club lies now: the copy that a move keeps on another shard is nobody's promise.
                mine = await self._rows(row["club_id"]).update_one(
                    {"_id": row["_id"], "check_at": row["check_at"]}, {"$set": {"check_at": now + self._grace}}
                )
                jobs += [row["job"]] if mine.modified_count else []
        return jobs

    async def waits(self, job: Job) -> bool:
        """Whether an earlier job of the same aggregate is not finished."""
        if not job.get("aggregate"):
            return False
        earlier = {"aggregate": job["aggregate"], "order": {"$lt": job["order"]}}
        with self._core.queries.timed("outbox.waits"):
            return await self._rows(job["club_id"]).find_one(earlier, {"_id": 1}) is not None

    def _rows(self, club_id: str) -> Any:
        return self._core.router.club(club_id)["outbox"]
