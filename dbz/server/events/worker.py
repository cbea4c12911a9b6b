"""Takes jobs from the queue and carries them out, each as often as it takes and to the effect of once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bson.errors import InvalidDocument
from pymongo.errors import PyMongoError, WriteError
from redis.exceptions import RedisError

from dbz.server.events.outbox import Outbox
from dbz.server.events.queue import Job, Queue, Taken
from dbz.server.settings import QueueSettings

Perform = Callable[[Job], Awaitable[None]]

_log = logging.getLogger(__name__)
_PAUSE_S = 0.5
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
        """Work until cancelled; a queue that is away is tried again."""
        while True:
            try:
                taken = await self._queue.take()
                await asyncio.gather(*(self._work(job) for job in taken))
            except (RedisError, PyMongoError, OSError, TimeoutError) as error:
                _log.warning("the queue waits: %s", error)
                await asyncio.sleep(_PAUSE_S)

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

    async def _failed(self, taken: Taken, error: Exception) -> None:
        attempts = int(taken.job.get("attempts", 0)) + 1
        reason = f"{type(error).__name__}: {error}"
        if attempts < self._settings.max_attempts:
            pause_s = min(self._settings.retry_base_s * 2 ** (attempts - 1), self._settings.retry_max_s)
            await self._queue.retry(taken, {**taken.job, "attempts": attempts}, pause_s)
            return
        _log.error("a job is given up: %s", reason, extra={"job": taken.job.get("id")})
        await self._queue.bury(taken, reason)
        if _is_promised(taken.job):
            await self._outbox.remove(taken.job)


def _is_promised(job: dict[str, Any]) -> bool:
    return isinstance(job.get("id"), str) and isinstance(job.get("club_id"), str)
