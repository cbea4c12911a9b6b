"""A warm-up from start to end: all warmers side by side, one rate, one look at Redis's memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster

from dbz.background import end, uncut
from dbz.cache.nodes import REDIS_ERRORS, AnyRedis, Nodes
from dbz.cache.problems import PROBLEMS, problem_text
from dbz.cache.warm.databases import Databases
from dbz.cache.warm.items import Item, Unit
from dbz.cache.warm.limits import NoRoomError, RoomGuard, WritePacer
from dbz.cache.warm.plan import Planner, WarmOrder
from dbz.cache.warm.progress import CHANGED, DONE, LEFT_OUT, PRESENT, UNUSABLE, Checkpoint, Tally, WarmReport
from dbz.cache.warm.sources import WarmSource, ahead, no_epoch
from dbz.cache.warm.writer import BatchWriter, ClusterWriter, ScriptWriter, Written
from dbz.config.warmup import HASH, Warmer
from dbz.errors import UsageError

_BATCH_KEYS = 250
_BATCH_BYTES = 256 * 1024
_REREADS = 4


class WarmRun:
    """Carries out one order. `tallies` can be looked at while `run` is under way.

    Nothing is written over a newer value: a key that exists is left alone (or replaced when its version is older), and
    a document that was invalidated after it was read is read again.
    """

    def __init__(self, order: WarmOrder, databases: Databases, redis: AnyRedis, rate_per_s: float | None) -> None:
        self._order = order
        self._planner = Planner(order, databases)
        self._redis = redis
        self._pacer = WritePacer(rate_per_s)
        self._room = RoomGuard(Nodes(redis))
        self.tallies = [Tally(one.name) for one in order.warmers]
        self._began = time.monotonic()
        self._resumed = 0
        self._unchecked = len(self.tallies)
        self._checked = asyncio.Event()

    async def count(self) -> None:
        """Find out how many keys each warmer will try to write, for those who show it; may run beside `run`."""
        with contextlib.suppress(*PROBLEMS, UsageError):  # the warm-up itself will tell
            clubs = await self._planner.clubs()
            for warmer, tally in zip(self._order.warmers, self.tallies, strict=True):
                tally.expected = await self._planner.source(warmer, clubs, no_epoch, _BATCH_KEYS).expected()

    async def run(self, *, restart: bool = False) -> WarmReport:
        """Warm; `restart` ignores how far an interrupted warm-up of the same kind had come.

        Raises `UsageError` before anything is written when the order does not fit the store. A store that fails, or
        has no room, ends the warm-up: the report says so. When it is cancelled, what was written is in `tallies`.
        """
        self._began = time.monotonic()
        await self._planner.check()
        clubs = await self._planner.clubs()
        order, places = self._order, self._planner.places
        checkpoint = Checkpoint(self._redis, order.prefix, order.warmers, order.clubs, places)
        if restart:
            await checkpoint.remove()
        positions = await checkpoint.load()
        self._resumed = len(positions)
        stopped = await self._side_by_side(clubs, checkpoint, positions)
        if not stopped:
            with contextlib.suppress(*REDIS_ERRORS, OSError, TimeoutError):
                await checkpoint.remove()
        return self.report(stopped)

    def report(self, stopped: str) -> WarmReport:
        """The figures until now; `stopped` says why it ended early, if it did."""
        return WarmReport(self.tallies, time.monotonic() - self._began, stopped, self._resumed)

    async def _side_by_side(self, clubs: list[str], checkpoint: Checkpoint, positions: dict[str, Any]) -> str:
        """Run all warmers; the first problem of one ends all. Returns the problem, or nothing."""
        tasks = [
            asyncio.create_task(self._warm(warmer, tally, clubs, checkpoint, positions.get(warmer.name)))
            for warmer, tally in zip(self._order.warmers, self.tallies, strict=True)
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await end(tasks)
        # Asked of all: asyncio prints what nobody asked for, and several may fail at once.
        errors = {task: task.exception() for task in tasks if not task.cancelled()}
        problems = [error for error in (errors.get(task) for task in done) if error is not None]
        for error in problems:
            if isinstance(error, NoRoomError):
                return str(error)
            if isinstance(error, PROBLEMS):
                return problem_text(error)
        for error in problems:
            raise error
        return ""

    async def _warm(
        self, warmer: Warmer, tally: Tally, clubs: Sequence[str], checkpoint: Checkpoint, position: Any
    ) -> None:
        state = "done before" if position == DONE else LEFT_OUT if warmer.name in self._planner.nameless else ""
        if state:
            tally.state = state
            return await self._all_checked()
        writer = writer_for(self._redis, self._order.prefix, warmer.version or "", hashes=warmer.type == HASH)
        source = self._planner.source(warmer, clubs, writer.epoch, self._pacer.step(_BATCH_KEYS))
        tally.reasons = self._planner.reasons.get(warmer.name, tally.reasons)
        tally.begin()
        state, checked = "stopped", False
        try:
            async with contextlib.aclosing(ahead(source.units(position))) as units:
                async for unit in units:
                    if not checked:
                        checked = True
                        await self._all_checked()
                    await self._write_unit(writer, source, unit, tally)
                    if unit.position is not None:
                        await checkpoint.save(warmer.name, unit.position)
            if not checked:
                await self._all_checked()
            await checkpoint.save(warmer.name, DONE)
            state = "done"
        finally:
            tally.end(state)

    async def _all_checked(self) -> None:
        """Wait until every warmer has seen that its documents are as described: nothing is written before."""
        self._unchecked -= 1
        if not self._unchecked:
            self._checked.set()
        await self._checked.wait()

    async def _write_unit(self, writer: BatchWriter, source: WarmSource, unit: Unit, tally: Tally) -> None:
        tally.documents += unit.documents
        tally.skipped[UNUSABLE] += unit.unusable
        items, epoch = unit.items, unit.epoch
        for _ in range(_REREADS):
            stale, lost = [], False
            for batch in batches(items, self._pacer.step(_BATCH_KEYS)):
                written = await self._write(writer, batch, epoch, tally)
                stale += written.stale
                lost |= written.lost
            if lost:
                source.outdate()
            if not stale:
                return
            epoch = await writer.epoch()
            items = await unit.again({item.id for item in stale})
            tally.skipped[CHANGED] += len(stale) - len(items)  # these are gone
        tally.skipped[CHANGED] += len(items)

    async def _write(self, writer: BatchWriter, batch: list[Item], epoch: str, tally: Tally) -> Written:
        await self._pacer.take(len(batch))
        await self._room.admit(len(batch), sum(len(item.value) + len(item.key) for item in batch))
        return await uncut(self._write_and_count(writer, batch, epoch, tally))

    async def _write_and_count(self, writer: BatchWriter, batch: list[Item], epoch: str, tally: Tally) -> Written:
        written = await writer.write(batch, epoch)
        tally.keys += written.keys
        tally.bytes += written.bytes
        tally.skipped[PRESENT] += len(batch) - written.keys - len(written.stale)
        return written


def writer_for(redis: AnyRedis, prefix: str, version: str, *, hashes: bool = False) -> BatchWriter:
    """The writer that fits the client and the values."""
    if isinstance(redis, RedisCluster):
        return ClusterWriter(redis, prefix, version, hashes=hashes)
    return ScriptWriter(redis, prefix, version, hashes=hashes)


def batches(items: list[Item], most: int) -> list[list[Item]]:
    """Runs of items that are small enough to be written without holding Redis up."""
    out: list[list[Item]] = []
    size = 0
    for item in items:
        length = len(item.key) + len(item.value)
        if not out or len(out[-1]) >= most or size + length > _BATCH_BYTES:
            out.append([])
            size = 0
        out[-1].append(item)
        size += length
    return out
