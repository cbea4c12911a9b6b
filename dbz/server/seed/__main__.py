"""`python -m dbz.server.seed`: write the demo data into an empty document store."""

from __future__ import annotations

from dbz.server.imports import all_loaded, load_quickly

if __name__ == "__main__":  # another program that imports this one may have a use for it
    load_quickly()

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from dbz.codes.kind import shown_code
from dbz.config.shards import Shards, load_shards
from dbz.errors import DbzError
from dbz.server.data.stores import Database, Document, open_mongo
from dbz.server.seed.write import seed
from dbz.server.settings import StoreSettings
from dbz.shards.deployment import Deployment
from dbz.shards.map import legacy_map
from dbz.shards.plan.adoption import adopt

_PATIENCE_S = 30.0
"""How long a write may take: nobody waits for a single one, and on a busy machine large ones take their time."""


async def _run(given: argparse.Namespace) -> str:
    stores = StoreSettings(mongo_uri=given.mongo_uri, database=given.database, timeout_s=_PATIENCE_S)
    mongo = open_mongo(stores)
    try:
        if given.shards:
            return await _seed_shards(load_shards(given.shards), mongo, given)
        return await seed(mongo[stores.database], seed=given.seed, clubs=given.clubs)
    finally:
        await mongo.close()


async def _seed_shards(file: Shards, mongo: AsyncMongoClient[Document], given: argparse.Namespace) -> str:
    """Each club on the shard where the app's formula leads, and then adopted."""
    shard_map = legacy_map(file.names[: file.shard_count])
    clients = {
        name: open_mongo(StoreSettings(mongo_uri=file.uri_of(name), timeout_s=_PATIENCE_S)) for name in shard_map.shards
    }

    def place(club_id: str, collection: str) -> Database:
        if collection in file.collections:
            return clients[shard_map.shard_of(club_id)][file.database]
        return mongo[given.database]

    try:
        done = await seed(mongo[given.database], seed=given.seed, clubs=given.clubs, place=place)
    finally:
        for client in clients.values():
            await client.close()
    with Deployment(file) as deployment:
        adopt(deployment)
    return f"{done}, on {len(shard_map.shards)} shards"


def main(argv: Sequence[str] | None = None) -> int:
    """Seed; prints what was done."""
    parser = argparse.ArgumentParser(prog="python -m dbz.server.seed", description="Write deterministic demo data.")
    parser.add_argument("--mongo-uri", default=os.environ.get("MONGODB_URI", StoreSettings().mongo_uri))
    parser.add_argument("--database", default=StoreSettings().database)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clubs", type=int, default=3, choices=range(1, 101), metavar="1..100")
    parser.add_argument(
        "--shards", metavar="FILE", help="spread the clubs over the shards of this file, and adopt them"
    )
    given = parser.parse_args(argv)
    try:
        sys.stdout.write(asyncio.run(_run(given)) + "\n")
    except PyMongoError as error:
        sys.stderr.write(f"error: the document store does not answer: {error}\n")
        return 3
    except DbzError as error:
        sys.stderr.write(f"error: {error.message} [{shown_code(error.code)}]\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    all_loaded()
    sys.exit(main())
