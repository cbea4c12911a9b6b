"""`python -m dbz.server.seed`: write the demo data into an empty document store."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from pymongo.errors import PyMongoError

from dbz.server.seed.write import seed
from dbz.server.settings import Stores
from dbz.server.stores import open_mongo


async def _run(given: argparse.Namespace) -> str:
    stores = Stores(mongo_uri=given.mongo_uri, database=given.database)
    mongo = open_mongo(stores)
    try:
        return await seed(mongo[stores.database], seed=given.seed, clubs=given.clubs)
    finally:
        await mongo.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Seed; prints what was done."""
    parser = argparse.ArgumentParser(prog="python -m dbz.server.seed", description="Write deterministic demo data.")
    parser.add_argument("--mongo-uri", default=os.environ.get("MONGODB_URI", Stores().mongo_uri))
    parser.add_argument("--database", default=Stores().database)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clubs", type=int, default=3, choices=range(1, 101), metavar="1..100")
    given = parser.parse_args(argv)
    try:
        sys.stdout.write(asyncio.run(_run(given)) + "\n")
    except PyMongoError as error:
        sys.stderr.write(f"error: the document store does not answer: {error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
