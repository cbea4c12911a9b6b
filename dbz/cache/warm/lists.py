"""The results that list pages ask for: the ids on each page, and the documents themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

from dbz.cache.warm.databases import Databases, steadily
from dbz.cache.warm.items import Item, Renderer, Unit, jittered_ms
from dbz.cache.warm.shape import KeyTemplate, encode
from dbz.cache.warm.sources import Epoch, all_of
from dbz.config.warmup import Warmer


class ListPageReader:
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
        self._warmer = warmer
        self._pages = warmer.listed
        self._key = KeyTemplate(warmer.key)
        self._databases = databases
        self._rows = rows
        self._clubs = clubs
        self._epoch = epoch
        self._jitter = jitter
        self._variables = {name for more in warmer.each for name in more}

    def outdate(self) -> None:
        """See `WarmSource`; each unit has an epoch of its own."""

    async def expected(self) -> int:
        """See `WarmSource`."""
        longest = max(self._pages.limits) * self._pages.pages if self._rows else 0
        return len(self._clubs) * len(self._warmer.each) * (len(self._pages.limits) * self._pages.pages + longest)

    async def units(self, after: Any) -> AsyncGenerator[Unit, None]:  # noqa: ARG002 there are no positions
        """See `WarmSource`."""
        for club in self._clubs:
            for more in self._warmer.each:
                epoch = await self._epoch()
                items, documents = await self._read(club, more)
                yield Unit(items, epoch, documents, 0, partial(self._again, club, more))

    async def _again(self, club: str, more: dict[str, Any], ids: set[Any]) -> list[Item]:
        items, _ = await self._read(club, more)
        return [item for item in items if item.id in ids]

    async def _read(self, club: str, more: dict[str, Any]) -> tuple[list[Item], int]:
        """The pages and the documents on them, and how many documents that took."""
        return await steadily(self._databases, lambda: self._items(club, more))

    async def _items(self, club: str, more: dict[str, Any]) -> tuple[list[Item], int]:
        home = self._databases.directory if self._warmer.shared else self._databases.reading(club)
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
