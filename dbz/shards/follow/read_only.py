"""The databases of a deployment, for a program that only reads: it follows the map, but nobody waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from dbz.config.shards import Shards
from dbz.errors import UsageError
from dbz.shards.club_id import club_text
from dbz.shards.deployment import IDENTITY
from dbz.shards.map import ShardMap, legacy_map
from dbz.shards.map_store import MAP_COLLECTION, MAP_ID

Database = AsyncDatabase[dict[str, Any]]


class ShardReader:
    """`databases` has the club data of each shard that has a URI, `control` the map, `directory` users and clubs.

    `refresh` must be called before anything is read, and after it: only while `version` stays the same, what was read
    is what the shard of the club has, and no old copy.
    """

    def __init__(self, file: Shards, databases: Mapping[str, Database], control: Database, directory: Database) -> None:
        self._file = file
        self._databases = databases
        self._control = control
        self._directory = directory
        self._map = legacy_map(file.names[: file.shard_count])

    @property
    def version(self) -> int:
        """The epoch of the map; 0 before adoption, when the app's own formula is in force."""
        return self._map.epoch

    async def refresh(self) -> None:
        """Fetch the map if there is another one; `UsageError` when it needs a shard that has no URI."""
        table = self._control[MAP_COLLECTION]
        found = await table.find_one({"_id": MAP_ID}, {"epoch": 1})
        if found is None or found["epoch"] == self._map.epoch:
            return
        try:
            self._map = ShardMap.from_document(await table.find_one({"_id": MAP_ID}) or {})
        except ValueError as error:
            raise UsageError(str(error), code="E013") from error

    async def check(self) -> None:
        """`UsageError` when a shard has no URI, or one that leads to another shard."""
        await self.refresh()
        for name in self._map.shards:
            control = self._on_shard(name).client[self._control.name]
            found = await control[IDENTITY].find_one({"_id": IDENTITY})
            if found and found["shard"] != name:
                raise UsageError(
                    f"the URI of '{name}' ({self._file.shards[name]}) leads to '{found['shard']}'", code="H002"
                )

    def reading(self, club_id: Any) -> Database:
        """The shard of a club, as of `version`."""
        return self._on_shard(self._map.shard_of(club_text(club_id) or ""))

    @property
    def directory(self) -> Database:
        """The database with users and clubs."""
        return self._directory

    def shards(self) -> list[Database]:
        """The shards that clubs lie on, in the order of the shards file."""
        return [self._on_shard(name) for name in self._file.names if name in self._map.shards]

    def _on_shard(self, name: str) -> Database:
        if name in self._databases:
            return self._databases[name]
        if name in self._file.shards:
            raise UsageError(
                f"shard '{name}' has no URI: the variable {self._file.shards[name]} is not set", code="H001"
            )
        raise UsageError(f"the map has shard '{name}', which the shards file does not name", code="H003")
