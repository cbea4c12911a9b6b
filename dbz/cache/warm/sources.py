"""What a warmer reads, unit by unit: documents in the order of their ids, or the first ones of each club or of all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.errors import OperationFailure

from dbz.background import end
from dbz.bson_order import sort_key
from dbz.cache.warm.databases import Database, Databases, Document, homes, steadily
from dbz.cache.warm.items import Item, Renderer, Unit
from dbz.cache.warm.shape import at
from dbz.config.warmup import Warmer

Epoch = Callable[[], Awaitable[str]]
_READ_AHEAD = 16  # steps that are asked for at a time; the store sends 16 MB at a time at most
_AWARE: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


class WarmSource(Protocol):
    """The units of one warmer."""

    async def expected(self) -> int:
        """How many keys there will be, about."""

    def units(self, after: Any) -> AsyncGenerator[Unit, None]:
        """The units, from the position `after` on; None begins at the beginning."""

    def outdate(self) -> None:
        """The epoch of a unit was too old to be compared with: go on with new ones."""


async def no_epoch() -> str:
    """For sources of which nothing is written, so that nothing can be stale."""
    return ""


def all_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    """One filter that asks for all conditions."""
    given = [one for one in conditions if one]
    return {"$and": given} if len(given) > 1 else given[0] if given else {}


class SourceReader:
    """Reads the documents of a warmer where they are; what a club left behind when it moved does not count.

    `check` is called with the first document.
    """

    def __init__(
        self, warmer: Warmer, databases: Databases, renderer: Renderer, check: Callable[[Document], None]
    ) -> None:
        self.warmer = warmer
        self.databases = databases
        self.renderer = renderer
        self._check: Callable[[Document], None] | None = check

    @property
    def homes(self) -> list[Database]:
        """Where the collection is."""
        return homes(self.databases, shared=self.warmer.shared)

    def home_of(self, club: str) -> Database:
        """Where the documents of a club are."""
        return self.databases.directory if self.warmer.shared else self.databases.reading(club)

    def here(self, rows: Iterable[Document], home: Database) -> list[Document]:
        """Those of the rows, read from `home`, whose club is there."""
        if len(self.homes) == 1:
            return list(rows)  # there is no other place
        field, reading = self.warmer.club_field, self.databases.reading
        return [row for row in rows if (club := at(row, field)) is None or reading(club) == home]

    async def unit(self, rows: list[Document], epoch: str, documents: int) -> Unit:
        """The unit of some rows, without a position."""
        if rows and self._check is not None:
            self._check(rows[0])
            self._check = None
        items = await self.renderer.items(rows)
        return Unit(items, epoch, documents, len(rows) - len(items), self.again)

    async def again(self, ids: set[Any]) -> list[Item]:
        """The items of these documents as they are now, without those that are gone."""
        query = all_of({"_id": {"$in": list(ids)}}, self.warmer.filter)

        async def read() -> list[Item]:
            rows: list[Document] = []
            for home in self.homes:
                found = home[self.warmer.collection].find(query, self.renderer.fields)
                rows += self.here(await found.to_list(), home)
            return await self.renderer.items(rows)

        return await steadily(self.databases, read)


class Documents:
    """A key for each document, in the order of `_id`, so that an interrupted warmer can go on; all shards at a time."""

    def __init__(
        self, reader: SourceReader, clubs: Sequence[str], epoch: Epoch, step: int, *, every_club: bool
    ) -> None:
        self._reader = reader
        self._clubs = clubs
        self._epoch = epoch
        self._step = step
        self._outdated = 0
        self._filter = all_of(reader.warmer.filter, {} if every_club else self._of(clubs))

    def _of(self, clubs: Sequence[str]) -> dict[str, Any]:
        return {self._reader.warmer.club_field: {"$in": list(clubs)}}

    def outdate(self) -> None:
        """See `WarmSource`."""
        self._outdated += 1

    async def expected(self) -> int:
        """See `WarmSource`."""
        tables = [home[self._reader.warmer.collection] for home in self._reader.homes]
        if self._filter:
            return sum([await table.count_documents(self._filter) for table in tables])
        return sum([await table.estimated_document_count() for table in tables])

    async def units(self, after: Any) -> AsyncGenerator[Unit, None]:
        """See `WarmSource`; a position is the last `_id` of each database, None where nothing was read yet."""
        query, reader = self._filter, self._reader
        while True:
            places, homes_then = reader.homes, {club: reader.home_of(club) for club in self._clubs}
            lasts = list(after or [None] * len(places))
            parts = [self._part(index, home, query, lasts[index]) for index, home in enumerate(places)]
            async with aclosing(ahead(*parts)) as units:
                async for index, last, unit in units:
                    lasts[index] = last
                    yield unit._replace(position=list(lasts))
            # Clubs that moved meanwhile may have gone where this was past them.
            moved = [club for club, home in homes_then.items() if reader.home_of(club) != home]
            if not moved:
                return
            after, query = None, all_of(self._filter, self._of(moved))

    async def _part(
        self, index: int, home: Database, query: dict[str, Any], last: Any
    ) -> AsyncGenerator[tuple[int, Any, Unit], None]:
        """(`index`, last `_id`, unit) of one database; read from there anew when clubs moved, or with a new epoch."""
        reader, complete = self._reader, False
        while not complete:
            state, epoch = self._state(), await self._epoch()
            async with aclosing(ahead(self._raw_batches(home, query, last))) as batches:
                async for batch in batches:
                    await reader.databases.refresh()
                    documents = bson.decode_all(batch, _AWARE)
                    for begin in range(0, len(documents), self._step):
                        if self._state() != state:
                            break
                        rows = documents[begin : begin + self._step]
                        last = rows[-1]["_id"]
                        yield index, last, await reader.unit(reader.here(rows, home), epoch, len(rows))
                    if self._state() != state:
                        break
            complete = self._state() == state

    def _state(self) -> tuple[int, int]:
        """What must not change between the opening of a cursor and the use of its documents."""
        return self._reader.databases.version, self._outdated

    async def _raw_batches(self, home: Database, query: dict[str, Any], last: Any) -> AsyncGenerator[bytes, None]:
        """The documents behind `last`, as the store sends them: the next ones are asked for while these are decoded."""
        query = all_of(query, {"_id": {"$gt": last}} if last is not None else {})
        table: Any = home[self._reader.warmer.collection]
        ordered = table.find_raw_batches(query, self._reader.renderer.fields, batch_size=self._step * _READ_AHEAD).sort(
            "_id", 1
        )
        # Without conditions the index on `_id` is the way; not every store finds it, and not every collection has it.
        hinted = [] if self._filter else [ordered.clone().hint([("_id", 1)])]
        for cursor in (*hinted, ordered):
            try:
                async with cursor:
                    async for batch in cursor:
                        yield batch
                return
            except OperationFailure:
                if cursor is ordered or cursor.retrieved:
                    raise


class TopDocuments:
    """A key for each of the first documents in an order, of each club or of all; read in one go, without positions."""

    def __init__(self, reader: SourceReader, clubs: Sequence[str], epoch: Epoch, *, every_club: bool) -> None:
        self._reader = reader
        self._clubs = clubs
        self._epoch = epoch
        self._every_club = every_club

    def outdate(self) -> None:
        """See `WarmSource`; each unit has an epoch of its own."""

    async def expected(self) -> int:
        """See `WarmSource`."""
        warmer = self._reader.warmer
        return (warmer.limit or 1) * (len(self._clubs) if warmer.each_club else 1)

    async def units(self, after: Any) -> AsyncGenerator[Unit, None]:  # noqa: ARG002 there are no positions
        """See `WarmSource`."""
        for club in self._clubs if self._reader.warmer.each_club else [None]:
            epoch = await self._epoch()
            rows = await steadily(self._reader.databases, lambda club=club: self._first(club))  # type: ignore[misc]
            yield await self._reader.unit(rows, epoch, len(rows))

    async def _first(self, club: str | None) -> list[Document]:
        """The first documents of a club, or, without one, of all that are wanted."""
        reader, warmer = self._reader, self._reader.warmer
        places = reader.homes if club is None else [reader.home_of(club)]
        condition: dict[str, Any] = {warmer.club_field: {"$in": list(self._clubs)} if club is None else club}
        if club is None and self._every_club:
            condition = {}
        order, most = list(warmer.sort.items()) or [("_id", 1)], warmer.limit or 0
        rows: list[Document] = []
        for home in places:
            cursor = home[warmer.collection].find(all_of(warmer.filter, condition), reader.renderer.fields)
            rows += reader.here(await cursor.sort(order).limit(most).to_list(), home)
        return sorted(rows, key=lambda row: sort_key(row, order))[:most] if len(places) > 1 else rows


T = TypeVar("T")


async def ahead(*sources: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of all sources; one item waits and each source reads its next while the caller works on another.

    The items of one source keep their order. The first error of a source is raised when the items before it are taken.
    """
    queue: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(1)

    async def read(source: AsyncGenerator[T, None]) -> None:
        try:
            async with contextlib.aclosing(source):
                async for item in source:
                    await queue.put((item,))
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    readers = [asyncio.create_task(read(source)) for source in sources]
    reading = len(readers)
    try:
        while reading:
            taken = await queue.get()
            if isinstance(taken, Exception):
                raise taken
            if taken is None:
                reading -= 1
            else:
                yield taken[0]
    finally:
        await end(readers)
