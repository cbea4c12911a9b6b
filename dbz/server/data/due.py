"""Rows of a collection that say when they are due: taken by one process at a time, and by another when that ends."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument

from dbz.server.core import Core
from dbz.server.data.stores import Database
from dbz.server.values.clock import utc_now

_BATCH = 50


class DueRows:
    """Rows {_id, club_id, due_at, holder} of `collection` on every shard.

    Who takes a row holds it until `due_at`, which lies then as far ahead as the lease is long. Every write of a holder
    names `holder`, so that one who was stopped for long finds nothing.
    """

    def __init__(self, core: Core, collection: str) -> None:
        self._core = core
        self._collection = collection
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    async def take(self, lease_s: float, wanted: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Take those that are due, of those `wanted`: nobody works on them, or was not heard of for too long."""
        late = {"due_at": {"$lt": utc_now()}, **(wanted or {})}

        async def due(database: Database) -> list[dict[str, Any]]:
            with self._core.queries.timed(f"{self._collection}.due"):
                return await database[self._collection].find(late).limit(_BATCH).to_list()

        taken = []
        for rows in await self._core.router.on_every_shard(due):
            for row in rows:
                # Where its club lies now: the copy that a move keeps on another shard is nobody's work.
                here = self._core.router.club(row["club_id"])[self._collection]
                mine = await here.find_one_and_update(
                    {"_id": row["_id"], "due_at": row["due_at"]},
                    {"$set": {"holder": self.holder, "due_at": utc_now() + timedelta(seconds=lease_s)}},
                    return_document=ReturnDocument.AFTER,
                )
                taken += [mine] if mine is not None else []
        return taken
