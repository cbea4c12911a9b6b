"""The queue between those who have work for later and those who do it: Redis Streams.

Delivery is at least once. A job that was taken but not finished, because its process died, is claimed by another
consumer after a while; one that failed comes back after a growing pause, and after the last attempt goes to the
dead-letter stream with the reason.
"""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from dbz.server.settings import QueueSettings

Job = dict[str, Any]

STREAM, LATER, DEAD, GROUP = "queue:jobs", "queue:later", "queue:dead", "server"
_BATCH = 50
_BLOCK_MS = 1000
_DEAD_KEPT = 10_000

# Moves what is due from the schedule to the stream in one step: a process that dies in between loses nothing.
_PROMOTE = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms, 'LIMIT', 0, 100)
for _, job in ipairs(due) do
  redis.call('ZREM', KEYS[1], job)
  redis.call('XADD', KEYS[2], '*', 'job', job)
end
return #due
"""


class JobLaterError(Exception):
    """A performer wants its job again after `pause_s`, with `changes`; that is no failure and uses up no attempt."""

    def __init__(self, reason: str, pause_s: float, **changes: Any) -> None:
        super().__init__(reason)
        self.pause_s, self.changes = pause_s, changes


@dataclass(frozen=True)
class Taken:
    """A job that this consumer works on."""

    receipt: Any
    """The queue's own name for this delivery of the job."""
    job: Job


class Queue(Protocol):
    """What the services need of a queue."""

    async def put(self, job: Job, delay_s: float = 0.0) -> None:
        """Hand in a job, to be taken after `delay_s`."""

    async def take(self) -> list[Taken]:
        """Jobs for this consumer; waits about a second for some."""

    async def finish(self, taken: Taken) -> None:
        """The job is done."""

    async def retry(self, taken: Taken, job: Job, delay_s: float) -> None:
        """Take `job` in place of the one that failed, after `delay_s`."""

    async def bury(self, taken: Taken, reason: str) -> None:
        """Give up on the job and keep it with the reason."""


class StreamQueue:
    """`Queue` over a Redis stream with one consumer group."""

    def __init__(self, redis: Redis, settings: QueueSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._consumer = f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._promote = redis.register_script(_PROMOTE)
        self._claimed_at = 0.0

    async def put(self, job: Job, delay_s: float = 0.0) -> None:
        """See `Queue`."""
        encoded = orjson.dumps(job)
        if delay_s > 0:
            await self._redis.zadd(LATER, {encoded: (time.time() + delay_s) * 1000})
        else:
            await self._redis.xadd(STREAM, {"job": encoded})

    async def take(self) -> list[Taken]:
        """See `Queue`."""
        try:
            return await self._claim() or await self._read()
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            return []

    async def finish(self, taken: Taken) -> None:
        """See `Queue`."""
        async with self._redis.pipeline() as pipeline:
            self._forget(pipeline, taken)
            await pipeline.execute()

    async def retry(self, taken: Taken, job: Job, delay_s: float) -> None:
        """See `Queue`."""
        async with self._redis.pipeline() as pipeline:
            pipeline.zadd(LATER, {orjson.dumps(job): (time.time() + delay_s) * 1000})
            self._forget(pipeline, taken)
            await pipeline.execute()

    async def bury(self, taken: Taken, reason: str) -> None:
        """See `Queue`."""
        fields: dict[Any, Any] = {"job": orjson.dumps(taken.job), "reason": reason[:1000]}
        async with self._redis.pipeline() as pipeline:
            pipeline.xadd(DEAD, fields, maxlen=_DEAD_KEPT, approximate=True)
            self._forget(pipeline, taken)
            await pipeline.execute()

    async def promote(self) -> int:
        """Move scheduled jobs that are due to the stream; returns how many."""
        return int(await self._promote(keys=[LATER, STREAM]))

    async def _read(self) -> list[Taken]:
        answer = await self._redis.xreadgroup(GROUP, self._consumer, {STREAM: ">"}, count=_BATCH, block=_BLOCK_MS)
        streams: Any = answer.items() if isinstance(answer, dict) else answer or ()
        return [taken for _, entries in streams for taken in _decode(entries)]

    async def _claim(self) -> list[Taken]:
        """Take over what a consumer has held for too long; looked for now and then only."""
        if time.monotonic() - self._claimed_at < self._settings.claim_after_s / 2:
            return []
        self._claimed_at = time.monotonic()
        idle_ms = int(self._settings.claim_after_s * 1000)
        answer: Any = await self._redis.xautoclaim(STREAM, GROUP, self._consumer, idle_ms, count=_BATCH)
        return _decode(answer[1])

    async def _make_group(self) -> None:
        try:
            await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _forget(self, pipeline: Any, taken: Taken) -> None:
        pipeline.xack(STREAM, GROUP, taken.receipt)
        pipeline.xdel(STREAM, taken.receipt)


def _decode(entries: Any) -> list[Taken]:
    return [Taken(receipt, decoded(fields.get(b"job", b""))) for receipt, fields in entries]


def decoded(body: bytes | str) -> Job:
    """A job as it is stored; what is no JSON object becomes one of no known kind, which ends as a dead letter."""
    try:
        job = orjson.loads(body)
    except ValueError:
        job = None
    return job if isinstance(job, dict) else {"kind": "unreadable"}
