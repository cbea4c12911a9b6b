"""What a warmer reads, unit by unit: documents in a stable order, or list pages club by club."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from dbz.cache.warm.databases import Database, Databases, Document, holders
from dbz.cache.warm.items import Item, Renderer, Unit, jittered_ms
from dbz.cache.warm.shape import KeyTemplate, encode
from dbz.config.warmup import Warmer

Epoch = Callable[[], Awaitable[str]]
_READ_AHEAD = 1000


class Source(Protocol):
    """The units of one warmer. `outdated` may be set when its epoch is too old to be compared with."""

    outdated: bool

    async def expected(self) -> int:
        """How many keys there will be, about."""

    def units(self, after: Any) -> AsyncIterator[Unit]:
        """The units, from the position `after` on; None begins at the beginning."""


def all_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    """One filter that asks for all conditions."""
    given = [one for one in conditions if one]
    return {"$and": given} if len(given) > 1 else given[0] if given else {}


class Documents:
    """A key for each document, in the order of `_id`, so that an interrupted warmer can go on."""

    def __init__(
        self, warmer: Warmer, databases: Databases, renderer: Renderer, clubs: Sequence[str], epoch: Epoch, step: int
    ) -> None:
        self.outdated = False
        self._warmer = warmer
        self._renderer = renderer
        self._epoch = epoch
        self._step = step
        self._homes = holders(databases, shared=warmer.shared)
        self._filter = all_of(warmer.filter, {warmer.club_field: {"$in": list(clubs)}} if clubs else {})

    async def expected(self) -> int:
        """See `Source`."""
        tables = [home[self._warmer.collection] for home in self._homes]
        if self._filter:
            return sum([await table.count_documents(self._filter) for table in tables])
        return sum([await table.estimated_document_count() for table in tables])

    async def units(self, after: Any) -> AsyncIterator[Unit]:
        """See `Source`; a position is [index of the database, last `_id`]."""
        begin, last = after or (0, None)
        for index in range(begin, len(self._homes)):
            async for rows, epoch in self._batches(self._homes[index], last):
                last = rows[-1]["_id"]
                yield await unit_of(self._warmer, self._renderer, self._homes[index], rows, epoch, [index, last])
            last = None

    async def _batches(self, home: Database, last: Any) -> AsyncIterator[tuple[list[Document], str]]:
        """Batches behind `last`; the cursor is opened anew whenever its epoch has become too old."""
        while True:
            self.outdated = False
            epoch = await self._epoch()
            query = all_of(self._filter, {"_id": {"$gt": last}} if last is not None else {})
            table = home[self._warmer.collection]
            async with table.find(query, self._renderer.fields, batch_size=_READ_AHEAD).sort("_id", 1) as cursor:
                while not self.outdated and (rows := await cursor.to_list(self._step)):
                    last = rows[-1]["_id"]
                    yield rows, epoch
            if not self.outdated:
                return


class TopDocuments:
    """A key for each of the first documents in an order, of each club or of all; read in one go, without positions."""

    def __init__(
        self, warmer: Warmer, databases: Databases, renderer: Renderer, clubs: Sequence[str], epoch: Epoch
    ) -> None:
        self.outdated = False
        self._warmer = warmer
        self._databases = databases
        self._renderer = renderer
        self._clubs = clubs
        self._epoch = epoch

    async def expected(self) -> int:
        """See `Source`."""
        return (self._warmer.limit or 1) * (len(self._clubs) if self._warmer.each_club else 1)

    async def units(self, after: Any) -> AsyncIterator[Unit]:  # noqa: ARG002 there are no positions
        """See `Source`."""
        field, warmer = self._warmer.club_field, self._warmer
        if warmer.each_club:
            places: list[tuple[Database, dict[str, Any]]] = [(self._home(club), {field: club}) for club in self._clubs]
        else:
            places = [(self._databases.directory, {field: {"$in": list(self._clubs)}} if self._clubs else {})]
        for home, condition in places:
            epoch = await self._epoch()
            cursor = home[warmer.collection].find(all_of(warmer.filter, condition), self._renderer.fields)
            rows = await cursor.sort(list(warmer.sort.items())).limit(warmer.limit or 0).to_list()
            yield await unit_of(warmer, self._renderer, home, rows, epoch, None)

    def _home(self, club: str) -> Database:
        return self._databases.directory if self._warmer.shared else self._databases.club(club)


class ListPages:
    """Pages of ids and the documents on them, a unit for each club and list."""

    def __init__(
        self,
        warmer: Warmer,
        databases: Databases,
        rows: tuple[Warmer, Renderer] | None,
        clubs: Sequence[str],
        epoch: Epoch,
        jitter: float,
    ) -> None:
        assert warmer.listed is not None
        self.outdated = False
        self._warmer = warmer
        self._pages = warmer.listed
        self._key = KeyTemplate(warmer.key)
        self._databases = databases
        self._rows = rows
        self._clubs = clubs
        self._epoch = epoch
        self._jitter = jitter
        self._variables = {name for more in warmer.each for name in more}

    async def expected(self) -> int:
        """See `Source`."""
        longest = max(self._pages.limits) * self._pages.pages if self._rows else 0
        return len(self._clubs) * len(self._warmer.each) * (len(self._pages.limits) * self._pages.pages + longest)

    async def units(self, after: Any) -> AsyncIterator[Unit]:  # noqa: ARG002 there are no positions
        """See `Source`."""
        for club in self._clubs:
            for more in self._warmer.each:
                epoch = await self._epoch()
                items, documents = await self._items(club, more)

                async def again(ids: set[Any], club: str = club, more: dict[str, Any] = more) -> list[Item]:
                    return [item for item in (await self._items(club, more))[0] if item.id in ids]

                yield Unit(items, epoch, documents, 0, again)

    async def _items(self, club: str, more: dict[str, Any]) -> tuple[list[Item], int]:
        home = self._databases.directory if self._warmer.shared else self._databases.club(club)
        wanted = all_of(self._warmer.filter, {self._warmer.club_field: club}, more)
        table = home[self._warmer.collection]
        most = max(self._pages.limits) * self._pages.pages
        cursor = table.find(wanted, {"_id": 1}).sort(list(self._warmer.sort.items())).limit(most)
        ids = [row["_id"] for row in await cursor.to_list()]
        total = await table.count_documents(wanted)
        items = [self._page(club, more, page, limit, ids, total) for page, limit in self._asked(len(ids))]
        if self._rows is None or not ids:
            return items, len(ids)
        rows, renderer = self._rows
        found = await home[rows.collection].find({"_id": {"$in": ids}}, renderer.fields).to_list()
        return items + await renderer.items(found), len(ids)

    def _asked(self, available: int) -> list[tuple[int, int]]:
        """(page, limit) of the pages that have rows, and of every first page."""
        pages = range(1, self._pages.pages + 1)
        return [
            (page, limit) for limit in self._pages.limits for page in pages if (page - 1) * limit < max(1, available)
        ]

    def _page(self, club: str, more: dict[str, Any], page: int, limit: int, ids: list[Any], total: int) -> Item:
        names = {**dict.fromkeys(self._variables, ""), **more, "club_id": club, "page": page, "limit": limit}
        key = self._key.fill(names)
        assert key is not None
        value = encode({"ids": ids[(page - 1) * limit : page * limit], "total": total})
        return Item(key, value, jittered_ms(self._warmer.ttl * 1000, self._jitter), key)


async def unit_of(
    warmer: Warmer, renderer: Renderer, home: Database, rows: list[Document], epoch: str, position: Any
) -> Unit:
    """The unit of some documents of one database."""

    async def again(ids: set[Any]) -> list[Item]:
        query = all_of({"_id": {"$in": list(ids)}}, warmer.filter)
        return await renderer.items(await home[warmer.collection].find(query, renderer.fields).to_list())

    items = await renderer.items(rows)
    return Unit(items, epoch, len(rows), len(rows) - len(items), again, position)
