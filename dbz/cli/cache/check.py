"""`dbz cache check`."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.cache.databases import connect
from dbz.cli.cache.stores import (
    DEFAULT_DATABASE,
    DEFAULT_PREFIX,
    Database,
    MongoUri,
    Prefix,
    RedisUrl,
    ShardsFile,
    StoreAddresses,
    stores,
)
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson, share_of
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.cache.admin.check import Freshness
    from dbz.cache.warm import WarmOrder


def check(
    only: Annotated[str, typer.Option(metavar="NAMES", help="Some warmers only, like posts,games.")] = "",
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="Keys of each warmer to look at, at most.")] = 1000,
    least: Annotated[
        str, typer.Option("--min", metavar="SHARE", help="Exit 1 when a smaller share of keys is fresh, like 99.9%.")
    ] = "",
    config: Annotated[str, typer.Option(metavar="FILE", help="The warmers; see configs/warmup.yaml.")] = "default",
    redis_url: RedisUrl = "",
    mongo_uri: MongoUri = "",
    database: Database = DEFAULT_DATABASE,
    shards: ShardsFile = "",
    prefix: Prefix = DEFAULT_PREFIX,
    as_json: AsJson = False,
) -> None:
    """Compare keys in the cache with what the document store gives for them now.

    \b
    Samples the keys of each warmer, and says which share is fresh, in nines,
    with the interval for all keys, and how long stale ones have been there.
    What differs is looked at twice, so that a write under way is not counted.
    Nothing is changed; dbz cache invalidate makes stale keys go.

    \b
    Examples:
      dbz cache check
      dbz cache check --only posts --sample 5000 --min 99.9%

    \b
    Exit codes: 0 fresh enough, 1 less than --min is, 2 wrong usage, 3 a store
    failed, 4 there was no key to look at.
    """
    from dbz.cache.warm import WarmOrder
    from dbz.config.warmup import load_warmup

    least_share = share_of("--min", least) if least else 0.0
    names = [name.strip() for name in only.split(",") if name.strip()]
    order = WarmOrder(load_warmup(config), names, (), prefix)
    _ = order.warmers
    with stores(redis_url, mongo_uri, shards, needs_mongo=True) as where:
        found = run_interruptibly(_check(order, where, database, sample))
    if as_json:
        from dbz.cache.admin.check import SCHEMA

        typer.echo(json.dumps({"schema": SCHEMA, "warmers": [one.document() for one in found]}, indent=2))
    else:
        from dbz.report.terminal.cache.check import print_freshness

        print_freshness(found)
    shares = [one.share for one in found if one.share is not None]
    if not shares:
        raise typer.Exit(ExitCode.INVALID)
    raise typer.Exit(ExitCode.BROKEN if min(shares) < least_share else ExitCode.OK)


async def _check(order: WarmOrder, where: StoreAddresses, database: str, sample: int) -> list[Freshness]:
    from dbz.cache.admin.check import FreshnessCheck
    from dbz.cache.problems import reported

    async with AsyncExitStack() as resources:
        redis, databases = await connect(resources, where, database)
        with reported():
            return await FreshnessCheck(order, databases, redis, sample).run()
