"""Club data on several stores, found by the shard map while clubs may move from one to another."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.monitoring import CommandListener
from redis.asyncio import Redis

from dbz.config.shards import Shards, load_shards
from dbz.errors import UsageError
from dbz.server.data.stores import ClubRouter, Database, Document, open_mongo
from dbz.server.settings import StoreSettings
from dbz.shards.errors import ClubFencedError
from dbz.shards.follow.follower import MapFollower
from dbz.shards.map import legacy_map

_WRITES = frozenset(
    {
        "bulk_write",
        "delete_many",
        "delete_one",
        "find_one_and_delete",
        "find_one_and_replace",
        "find_one_and_update",
        "insert_many",
        "insert_one",
        "replace_one",
        "update_many",
        "update_one",
    }
)


def open_router(
    stores: StoreSettings,
    mongo: AsyncMongoClient[Document],
    redis: Redis,
    listeners: Sequence[CommandListener] = (),
) -> ClubRouter:
    """The router of one store, or of the shards that the file of `stores.shards` names.

    `UsageError` when that file is wrong, or a shard that holds clubs before adoption has no URI.
    """
    if not stores.shards:
        return ClubRouter(mongo, stores.database)
    return ShardedRouter(load_shards(stores.shards), stores, mongo, redis, os.environ, listeners)


def check_shards(stores: StoreSettings) -> None:
    """`UsageError` for what is wrong about the shards, before a process serves."""
    if stores.shards:
        _uris(load_shards(stores.shards), os.environ)


def _uris(file: Shards, environment: Mapping[str, str]) -> dict[str, str]:
    uris = {name: environment.get(variable, "") for name, variable in file.shards.items()}
    missing = [file.shards[name] for name in file.names[: file.shard_count] if not uris[name]]
    if missing:
        raise UsageError(f"shards have no URI: the environment variables {', '.join(missing)} are not set", code="H001")
    return uris


class ShardedRouter(ClubRouter):
    """Leads to the shard of each club, as the map has it at the moment of each operation.

    Writes pass the gate: while their club is fenced they wait for at most the fence time, then `ClubFencedError`, a
    `TimeoutError`, says that the store is busy. Reads never wait.
    """

    def __init__(
        self,
        file: Shards,
        stores: StoreSettings,
        mongo: AsyncMongoClient[Document],
        redis: Redis,
        environment: Mapping[str, str],
        listeners: Sequence[CommandListener] = (),
    ) -> None:
        super().__init__(mongo, stores.database)
        uris = _uris(file, environment)
        self._clients = {
            name: open_mongo(stores.model_copy(update={"mongo_uri": uri}), listeners)
            for name, uri in uris.items()
            if uri
        }
        self._databases: dict[str, Database] = {name: client[file.database] for name, client in self._clients.items()}
        control_uri = environment.get(file.control, "") if file.control else ""
        if control_uri:
            self._clients["control"] = open_mongo(stores.model_copy(update={"mongo_uri": control_uri}))
        control = self._clients["control" if control_uri else file.names[0]][f"{file.database}_control"]
        name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._follower = MapFollower(control, legacy_map(file.names[: file.shard_count]), name, redis)
        self.gate = self._follower.gate

    def start(self) -> None:
        """Begin to follow the map."""
        self._follower.start()

    async def stop(self) -> None:
        """End following it, and close the shards' connections."""
        await self._follower.stop()
        for client in self._clients.values():
            await client.close()

    async def ping(self) -> None:
        """Whether the directory and all shards that hold clubs answer, and the map is known; else pymongo's error."""
        if self.gate.map is None:
            raise ClubFencedError("the shard map is not known yet")
        shards = [self.on_shard(name) for name in self.gate.map.shards]
        await asyncio.gather(super().ping(), *(shard.command("ping") for shard in shards))

    def club(self, club_id: str) -> Any:
        """Stands for the database of a club; each operation goes where the club lies at that moment."""
        return _ClubDatabase(self, club_id)

    @property
    def version(self) -> int:
        """The epoch of the map, -1 while none is known."""
        return -1 if self.gate.map is None else self.gate.map.epoch

    def shards(self) -> list[Database]:
        """Every shard that has a URI; one that stands by too, so that it has its indexes before clubs come."""
        return list(self._databases.values())

    def reading(self, club_id: str) -> Database:
        """The database to read a club from now; `ClubFencedError` while no map is known."""
        if self.gate.map is None:
            raise ClubFencedError("the shard map is not known yet")
        return self.on_shard(self.gate.map.shard_of(club_id))

    def on_shard(self, name: str) -> Database:
        """The club data of a shard."""
        if name not in self._databases:
            raise ClubFencedError(f"shard '{name}' is in the map, but this server has no URI for it")
        return self._databases[name]


class _ClubDatabase:
    """The collections of a club."""

    def __init__(self, router: ShardedRouter, club_id: str) -> None:
        self._router = router
        self._club_id = club_id

    def __getitem__(self, collection: str) -> _ClubCollection:
        return _ClubCollection(self._router, self._club_id, collection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router.reading(self._club_id), name)


class _ClubCollection:
    """A collection of a club: reads go through at once, writes pass the gate."""

    def __init__(self, router: ShardedRouter, club_id: str, collection: str) -> None:
        self._router = router
        self._club_id = club_id
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        if name in _WRITES:
            return lambda *arguments, **options: self._write(name, arguments, options)
        return getattr(self._router.reading(self._club_id)[self._collection], name)

    async def _write(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        async with self._router.gate.writing(self._club_id) as shard:
            there: AsyncCollection[Document] = self._router.on_shard(shard)[self._collection]
            return await getattr(there, name)(*arguments, **options)
