"""The queue as a person sees it: how much waits and for how long, who works, and what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import orjson
from redis.exceptions import ResponseError

from dbz.server.events.queue import DEAD, GROUP, LATER, STREAM, Job, decoded

_GONE_S = 60.0  # a process asks for jobs every second; one that did not for so long has ended
_BATCH = 500

# In one step, so that of two people who take the same letter one gets it and no job is handed in twice.
_AGAIN = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 1 then
  redis.call('XADD', KEYS[2], '*', 'job', ARGV[2])
  return 1
end
return 0
"""


@dataclass(frozen=True)
class QueueConsumer:
    """A process that takes jobs."""

    name: str
    """Its machine, process number and a random part."""
    pending: int
    """Jobs that it has taken and not finished."""
    idle_s: float
    """Seconds since it last asked."""


@dataclass(frozen=True)
class DeadLetter:
    """A job that was given up."""

    id: str
    """The queue's name for it."""
    job: Job
    """{id, kind, club_id, …}"""
    reason: str
    """The last error."""
    age_s: float | None
    """Seconds since it was given up; None where the queue does not say."""

    @property
    def job_id(self) -> str:
        """The id that its sender gave it; empty when it is unreadable."""
        return str(self.job.get("id", ""))

    @property
    def what(self) -> str:
        """What was to be done: the kind of the event, or that of the job."""
        return str(self.job.get("event") if isinstance(self.job.get("event"), str) else self.job.get("kind", ""))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "job_id": self.job_id, "what": self.what}


@dataclass(frozen=True)
class QueueStatus:
    """How the queue stands."""

    where: str
    """Redis or SQS."""
    waiting: int
    """Jobs that nobody has taken yet."""
    scheduled: int
    """Jobs for later: not due, or between two attempts."""
    under_way: int
    """Jobs that somebody works on."""
    oldest_s: float | None
    """Age of the oldest job that is not finished, in seconds; None without one, or where the queue does not say."""
    dead: int
    """How many dead letters there are."""
    consumers: list[QueueConsumer] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    """The newest dead letters, newest first."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "letters": [letter.document() for letter in self.letters]}


class QueueAdmin(Protocol):
    """What `dbz queue` asks of a queue."""

    async def status(self, most_letters: int) -> QueueStatus:
        """How it stands, with at most so many dead letters."""

    async def letters(self) -> list[DeadLetter]:
        """All dead letters, newest first."""

    async def again(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Hand jobs in again, with all their attempts; returns the ids of letters that were still there."""

    async def drop(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Remove letters for good; returns the ids of those that were still there."""


class StreamAdmin:
    """`QueueAdmin` over Redis Streams."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def status(self, most_letters: int) -> QueueStatus:
        """See `QueueAdmin`."""
        pending, consumers = await self._group()
        oldest = await self._redis.xrange(STREAM, count=1)
        oldest_s = await self._age_s(oldest[0][0]) if oldest else None
        rows = await self._redis.xrevrange(DEAD, count=most_letters)
        return QueueStatus(
            where="Redis",
            waiting=max(0, int(await self._redis.xlen(STREAM)) - pending),
            scheduled=int(await self._redis.zcard(LATER)),
            under_way=pending,
            oldest_s=oldest_s,
            dead=int(await self._redis.xlen(DEAD)),
            consumers=consumers,
            letters=[await self._letter(*row) for row in rows],
        )

    async def letters(self) -> list[DeadLetter]:
        """See `QueueAdmin`."""
        found: list[DeadLetter] = []
        before = "+"
        while rows := await self._redis.xrevrange(DEAD, max=before, count=_BATCH):
            found += [await self._letter(*row) for row in rows]
            before = f"({found[-1].id}"
        return found

    async def again(self, letters: Sequence[DeadLetter]) -> list[str]:
        """See `QueueAdmin`."""
        again = self._redis.register_script(_AGAIN)
        done = []
        for letter in letters:
            job = {key: value for key, value in letter.job.items() if key != "attempts"}
            if await again(keys=[DEAD, STREAM], args=[letter.id, orjson.dumps(job)]):
                done.append(letter.id)
        return done

    async def drop(self, letters: Sequence[DeadLetter]) -> list[str]:
        """See `QueueAdmin`."""
        return [letter.id for letter in letters if await self._redis.xdel(DEAD, letter.id)]

    async def _group(self) -> tuple[int, list[QueueConsumer]]:
        """Jobs under way, and who works: processes that are gone are named as long as they hold something."""
        try:
            rows = await self._redis.xinfo_consumers(STREAM, GROUP)
        except ResponseError:  # no server has ever run
            return 0, []
        all_of_them = [QueueConsumer(row["name"].decode(), row["pending"], row["idle"] / 1000) for row in rows]
        pending = sum(consumer.pending for consumer in all_of_them)
        return pending, [each for each in all_of_them if each.pending or each.idle_s < _GONE_S]

    async def _letter(self, letter_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
        reason = fields.get(b"reason", b"").decode(errors="replace")
        return DeadLetter(letter_id.decode(), decoded(fields.get(b"job", b"")), reason, await self._age_s(letter_id))

    async def _age_s(self, entry_id: bytes) -> float:
        """Seconds since an entry was made, by the clock of Redis."""
        seconds, microseconds = await self._redis.time()
        return max(0.0, float(seconds + microseconds / 1e6 - int(entry_id.split(b"-")[0]) / 1000))
