"""Where documents are: one database, or as many as a sharded store has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from pymongo.asynchronous.database import AsyncDatabase

from dbz.errors import DependencyError

Document = dict[str, Any]
Database = AsyncDatabase[Document]
T = TypeVar("T")

_TRIES = 20


class Databases(Protocol):
    """The databases of the clubs, and the directory that all clubs share. The server's router is one of these."""

    @property
    def version(self) -> int:
        """Another one whenever clubs lie elsewhere, as far as that is known here."""

    async def refresh(self) -> None:
        """Find out whether clubs lie elsewhere by now."""

    def reading(self, club_id: Any) -> Database:
        """The database to read a club from; what others have of it are old copies."""

    @property
    def directory(self) -> Database:
        """The database with users and clubs."""

    def shards(self) -> list[Database]:
        """Every database that holds club data."""


class OneDatabase:
    """Everything in one database."""

    version = 0

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refresh(self) -> None:
        """See `Databases`."""

    def reading(self, club_id: Any) -> Database:  # noqa: ARG002 all clubs are here
        """See `Databases`."""
        return self._database

    @property
    def directory(self) -> Database:
        """See `Databases`."""
        return self._database

    def shards(self) -> list[Database]:
        """See `Databases`."""
        return [self._database]


def homes(databases: Databases, *, shared: bool) -> list[Database]:
    """Where a collection may be: in the directory when it is shared, else on every shard."""
    return [databases.directory] if shared else databases.shards()


async def steadily(databases: Databases, read: Callable[[], Awaitable[T]]) -> T:
    """What `read` gives while no club moves; it is called again when one did.

    Otherwise what the club's former shard still has could be taken for what is stored. Raises `DependencyError` when
    clubs keep moving.
    """
    for _ in range(_TRIES):
        before = databases.version
        found = await read()
        await databases.refresh()
        if databases.version == before:
            return found
    raise DependencyError("clubs kept moving while they were read", hint="try again in a moment", code="H019")
