"""Takes jobs from the queue and carries them out, each as often as it takes and to the effect of once."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from bson.errors import InvalidDocument
from pymongo.errors import PyMongoError, WriteError
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.events.outbox import Outbox
from dbz.server.events.queue import Job, JobLaterError, Queue, Taken
from dbz.server.settings import QueueSettings
from dbz.server.values.clock import utc_now

Perform = Callable[[Job], Awaitable[None]]

_log = logging.getLogger(__name__)
_PAUSE_S = 0.5
_MOST_UNDER_WAY = 200
_TURN_S = 0.1  # until a job looks again whether it is its turn among those of its aggregate
_EARLY_S = 1.0  # a queue may be unable to wait as long as was asked


class Worker:
    """One consumer. `performers` carry out the jobs of each kind and may be called twice for one job."""

    def __init__(
        self, queue: Queue, outbox: Outbox, settings: QueueSettings, performers: Mapping[str, Perform]
    ) -> None:
        self._queue = queue
        self._outbox = outbox
        self._settings = settings
        self._performers = performers

    async def run(self) -> None:
        """Work until cancelled; a queue that is away is tried again. A slow job does not hold up those after it."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(under_way) >= _MOST_UNDER_WAY:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    continue
                try:
                    taken = await self._queue.take()
                except (RedisError, PyMongoError, OSError, TimeoutError) as error:
                    _log.warning("the queue waits: %s", error)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                for job in taken:
                    task = asyncio.create_task(self._work_safely(job))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
        finally:
            await end(under_way)

    async def _work_safely(self, taken: Taken) -> None:
        """A job whose outcome the queue could not be told comes again by itself."""
        try:
            await self._work(taken)
        except (RedisError, PyMongoError, OSError, TimeoutError) as error:
            _log.warning("the queue waits: %s", error)

    async def _work(self, taken: Taken) -> None:
        job = taken.job
        early_s = float(job.get("due_s", 0.0)) - time.time()
        if early_s > _EARLY_S:
            await self._queue.retry(taken, job, early_s)
            return
        try:
            if await self._outbox.waits(job):
                await self._queue.retry(taken, job, _TURN_S)
                return
            await self._performers[job["kind"]](job)
        except JobLaterError as error:
            await self._put_off(taken, error)
        except (WriteError, InvalidDocument) as error:  # the store is well, and does not want this
            await self._failed(taken, error)
        except (PyMongoError, RedisError, OSError, TimeoutError) as error:
            # The job is not to blame for a store that is away: it waits without using up an attempt.
            _log.warning("a job waits for a store: %s", error)
            await self._queue.retry(taken, job, self._settings.retry_max_s / 10)
        except Exception as error:
            await self._failed(taken, error)
        else:
            if _is_promised(job):
                await self._outbox.remove(job)
            await self._queue.finish(taken)

    async def _put_off(self, taken: Taken, wanted: JobLaterError) -> None:
        due_at = utc_now() + timedelta(seconds=wanted.pause_s)
        job = {**taken.job, **wanted.changes, "due_s": due_at.timestamp()}
        if _is_promised(job):
            await self._outbox.put_off(job, due_at)
        await self._queue.retry(taken, job, wanted.pause_s)

    async def _failed(self, taken: Taken, error: Exception) -> None:
        attempts = int(taken.job.get("attempts", 0)) + 1
        reason = f"{type(error).__name__}: {error}"
        if attempts < self._settings.max_attempts:
            pause_s = min(self._settings.retry_base_s * 2 ** (attempts - 1), self._settings.retry_max_s)
            pause_s *= random.uniform(0.75, 1.0)  # jobs that failed together do not come back together
            await self._queue.retry(taken, {**taken.job, "attempts": attempts}, pause_s)
            return
        _log.error("a job is given up: %s", reason, extra={"job": taken.job.get("id")})
        await self._queue.bury(taken, reason)
        if _is_promised(taken.job):
            await self._outbox.remove(taken.job)


def _is_promised(job: dict[str, Any]) -> bool:
    return isinstance(job.get("id"), str) and isinstance(job.get("club_id"), str)
