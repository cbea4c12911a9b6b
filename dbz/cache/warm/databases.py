"""Where documents are: one database, or as many as a sharded store has."""

from __future__ import annotations

from typing import Any, Protocol

from pymongo.asynchronous.database import AsyncDatabase

Document = dict[str, Any]
Database = AsyncDatabase[Document]


class Databases(Protocol):
    """The databases of the clubs, and the directory that all clubs share. The server's router is one of these."""

    def club(self, club_id: str) -> Database:
        """The database with the data of a club."""

    @property
    def directory(self) -> Database:
        """The database with users and clubs."""

    def shards(self) -> list[Database]:
        """Every database that holds club data."""


class OneDatabase:
    """Everything in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def club(self, club_id: str) -> Database:  # noqa: ARG002 all clubs are here
        """See `Databases`."""
        return self._database

    @property
    def directory(self) -> Database:
        """See `Databases`."""
        return self._database

    def shards(self) -> list[Database]:
        """See `Databases`."""
        return [self._database]


def holders(databases: Databases, *, shared: bool) -> list[Database]:
    """Where a collection may be: in the directory when it is shared, else on every shard."""
    return [databases.directory] if shared else databases.shards()
