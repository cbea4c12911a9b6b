"""What is to be warmed, checked against the store before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pymongo.errors import OperationFailure

from dbz.cache.warm.databases import Databases, Document, homes
from dbz.cache.warm.items import Renderer
from dbz.cache.warm.lists import ListPageReader
from dbz.cache.warm.shape import KeyTemplate, at
from dbz.cache.warm.sources import Documents, Epoch, SourceReader, TopDocuments, WarmSource, all_of
from dbz.config.warmup import Count, Join, NumberOf, Warmer, Warmup
from dbz.errors import UsageError
from dbz.filters import check_filter, refusal
from dbz.suggest import did_you_mean

_BATCH = 250


@dataclass(frozen=True)
class WarmOrder:
    """The warm-up file, the names of the warmers wanted (all without any), the clubs wanted (all without any)."""

    warmup: Warmup
    only: Sequence[str] = ()
    clubs: Sequence[str] = ()
    prefix: str = "cache:"

    @property
    def warmers(self) -> list[Warmer]:
        """The warmers wanted; `UsageError` for a name that is not in the file."""
        return self.warmup.only(self.only)


class Planner:
    """Checks an order and makes the sources of its warmers.

    `nameless` are the warmers whose documents do not say to which club they belong: with `clubs` they are left out.
    """

    def __init__(self, order: WarmOrder, databases: Databases) -> None:
        self._order = order
        self._databases = databases
        self.nameless: set[str] = set()
        self.reasons: dict[str, Counter[str]] = {}
        """Why documents gave no value, of each warmer."""

    @property
    def places(self) -> str:
        """What positions in the databases refer to."""
        return f"{len(self._databases.shards())} databases, version {self._databases.version}"

    async def clubs(self) -> list[str]:
        """The clubs to warm for; `UsageError` when one that was asked for does not exist."""
        table = self._databases.directory[self._order.warmup.clubs]
        known = sorted([row["_id"] async for row in table.find({}, {"_id": 1})])
        for club in self._order.clubs:
            if club not in known:
                suggestion = did_you_mean(club, known) or f" ({len(known)} clubs are known)"
                raise UsageError(f"unknown club '{club}'{suggestion}", code="E011")
        return list(self._order.clubs) or known

    async def check(self) -> None:
        """Raise `UsageError` when a collection does not exist."""
        await self._databases.refresh()
        shared = set(await self._databases.directory.list_collection_names())
        spread = {name for shard in self._databases.shards() for name in await shard.list_collection_names()}
        for warmer in self._order.warmers:
            for name, is_shared in _collections(self._order.warmup, warmer):
                known = shared if is_shared else spread
                if name not in known:
                    raise UsageError(
                        _unknown_collection(self._order.warmup.where(warmer.name), warmer, name, known), code="C005"
                    )
            await self._check_filter(warmer)
            if self._order.clubs:
                await self._find_nameless(warmer)

    async def _check_filter(self, warmer: Warmer) -> None:
        """Whether the store takes the filter, also where nothing matches it."""
        where = self._order.warmup.where(warmer.name)
        for more in warmer.each:
            wanted = all_of(warmer.filter, more)
            try:
                check_filter(wanted)
                for home in homes(self._databases, shared=warmer.shared):
                    await home[warmer.collection].find_one(wanted, {"_id": 1})
            except ValueError as error:
                raise UsageError(f"{where}: warmer '{warmer.name}': {error}", code="C005") from error
            except OperationFailure as error:
                if not (why := refusal(error)):
                    raise
                raise UsageError(
                    f"{where}: warmer '{warmer.name}': the store refuses the filter: {why}", code="C005"
                ) from error

    async def _find_nameless(self, warmer: Warmer) -> None:
        for home in homes(self._databases, shared=warmer.shared):
            row = await home[warmer.collection].find_one(all_of(warmer.filter), {warmer.club_field: 1})
            if row is not None and at(row, warmer.club_field) is None:
                self.nameless.add(warmer.name)

    def _check_row(self, warmer: Warmer, row: Document) -> None:
        """Whether one of its documents is as the warmer describes them."""
        missing = [name for name in KeyTemplate(warmer.key).fields if at(row, name) is None]
        if missing:
            where, fields = self._order.warmup.where(warmer.name), ", ".join(sorted(row))
            raise UsageError(
                f"{where}: warmer '{warmer.name}': the key '{warmer.key}' needs the field '{missing[0]}', which "
                f"documents of '{warmer.collection}' do not have (read were: {fields})",
                code="C005",
            )

    def source(self, warmer: Warmer, clubs: Sequence[str], epoch: Epoch, step: int) -> WarmSource:
        """What a warmer reads, at most `step` documents at a time.

        Its first unit raises `UsageError` when the first document lacks a field that the key is made of.
        """
        warmup, databases = self._order.warmup, self._databases
        if warmer.listed is not None:
            rows = warmup.named(warmer.listed.rows) if warmer.listed.rows else None
            described = (rows, Renderer(rows, databases, warmup.jitter)) if rows else None
            return ListPageReader(warmer, databases, described, clubs, epoch, warmup.jitter)
        reader = self.reader(warmer)
        every_club = not self._order.clubs
        if warmer.limit is not None:
            return TopDocuments(reader, clubs, epoch, every_club=every_club)
        return Documents(reader, clubs, epoch, min(step, _BATCH), every_club=every_club)

    def reader(self, warmer: Warmer) -> SourceReader:
        """Reads documents of a warmer, and makes of them what it caches; not for list pages."""
        renderer = Renderer(warmer, self._databases, self._order.warmup.jitter)
        self.reasons[warmer.name] = renderer.reasons
        return SourceReader(warmer, self._databases, renderer, partial(self._check_row, warmer))


def _collections(warmup: Warmup, warmer: Warmer) -> list[tuple[str, bool]]:
    """(name, shared) of the collections that a warmer reads."""
    wanted = [(warmer.collection, warmer.shared)]
    for spec in (warmer.projection or {}).values():
        if isinstance(spec, Join):
            wanted.append((spec.join, spec.shared))
        elif isinstance(spec, NumberOf):
            wanted.append((spec.number_of, spec.shared))
        else:
            assert isinstance(spec, str | Count)
    if warmer.each_club or warmer.listed is not None:
        wanted.append((warmup.clubs, True))
    return wanted


def _unknown_collection(where: str, warmer: Warmer, name: str, known: set[str]) -> str:
    suggestion = did_you_mean(name, known)
    there = ", ".join(sorted(known)) or "none at all"
    return f"{where}: warmer '{warmer.name}': unknown collection '{name}'{suggestion} (the store has: {there})"
