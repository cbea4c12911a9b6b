"""Warming from another Redis: everything of one cache into another, as it is, for a change from blue to green."""

from __future__ import annotations

import time
from typing import Any

from dbz.background import uncut
from dbz.cache.admin.purge import Purge, purge
from dbz.cache.admin.selection import Selection
from dbz.cache.layers.remote import parse_line
from dbz.cache.names import Names
from dbz.cache.nodes import AnyRedis, Nodes
from dbz.cache.problems import PROBLEMS, permitted, problem_text
from dbz.cache.warm.limits import NoRoomError, RoomGuard, WritePacer
from dbz.cache.warm.progress import PRESENT, UNUSABLE, Tally, WarmReport

_STEP = 250


class CacheCopy:
    """Copies the entries of a cache that `target` does not have, with the lives that they have left.

    What is made stale in the source meanwhile is made stale in the target at the end; what is made stale in the target
    is announced there, and its old value may come back for a moment: the apps of both should still use the source.
    """

    def __init__(self, source: AnyRedis, target: AnyRedis, prefix: str, rate_per_s: float | None) -> None:
        self._source: Any = source
        self._target: Any = target
        self._names = Names(prefix)
        self._pacer = WritePacer(rate_per_s)
        self._room = RoomGuard(Nodes(target))
        self.tallies = [Tally("copy")]

    async def run(self) -> WarmReport:
        """Copy; a store that fails, or has no room, ends it: the report says so."""
        (tally,), began, stopped = self.tallies, time.monotonic(), ""
        tally.begin()
        try:
            epoch = await self._source.get(self._names.epoch)
            async for batch in Nodes(self._source).scan(self._names.glob("*")):
                for begin in range(0, len(batch), self._pacer.step(_STEP)):
                    await self._copy(batch[begin : begin + self._pacer.step(_STEP)], tally)
            await self._follow(epoch)
        except NoRoomError as error:
            stopped = str(error)
        except PROBLEMS as error:
            stopped = problem_text(error)
        tally.end("stopped" if stopped else "done")
        return WarmReport(self.tallies, time.monotonic() - began, stopped)

    async def _copy(self, keys: list[bytes], tally: Tally) -> None:
        async with self._source.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.dump(key)
                pipe.pttl(key)
            answers = await pipe.execute(raise_on_error=False)
        permitted(answers)
        found = [
            (key, dump, max(0, left_ms))
            for key, dump, left_ms in zip(keys, answers[0::2], answers[1::2], strict=True)
            if isinstance(dump, bytes) and isinstance(left_ms, int) and left_ms != -2
        ]
        await self._pacer.take(len(found))
        await self._room.admit(len(found), sum(len(key) + len(dump) for key, dump, _ in found))
        tally.documents += len(keys)
        await uncut(self._restore(found, tally))

    async def _restore(self, found: list[tuple[bytes, bytes, int]], tally: Tally) -> None:
        """Write what was read, and count it."""
        async with self._target.pipeline(transaction=False) as pipe:
            for key, dump, left_ms in found:
                pipe.restore(key, left_ms, dump)
            done = await pipe.execute(raise_on_error=False)
        permitted(done)
        for (key, dump, _), answer in zip(found, done, strict=True):
            if not isinstance(answer, Exception):
                tally.keys += 1
                tally.bytes += len(key) + len(dump)
            elif "BUSYKEY" in str(answer):
                tally.skipped[PRESENT] += 1
            else:
                tally.skipped[UNUSABLE] += 1
                tally.reasons[str(answer)[:120]] += 1

    async def _follow(self, epoch: bytes | None) -> None:
        """Make stale in the target what was made stale in the source since an epoch."""
        least = f"({epoch.decode()}" if epoch else "-inf"
        lines = await self._source.zrangebyscore(self._names.log, least, "+inf")
        patterns = tuple(dict.fromkeys(parse_line(line).pattern for line in lines))
        if patterns:
            await purge(self._target, self._names, Selection(patterns), Purge())
