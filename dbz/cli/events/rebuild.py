"""`dbz events rebuild`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.cache.stores import (
    DEFAULT_DATABASE,
    NO_REDIS,
    Database,
    MongoUri,
    RedisUrl,
    ShardsFile,
    StoreAddresses,
    stores,
)
from dbz.cli.confirm import confirm
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson, Yes
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.server.game.results.rebuild import RebuildOutcome
    from dbz.server.pacing.lease import RedisLease

_LEASE_S = 30.0


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Only compare, and say which rows differ.")] = False,
    yes: Yes = False,
    redis_url: RedisUrl = "",
    mongo_uri: MongoUri = "",
    database: Database = DEFAULT_DATABASE,
    shards: ShardsFile = "",
    as_json: AsJson = False,
) -> None:
    """Count player statistics and club rankings again, from the log of results.

    \b
    Servers go on: what is counted anew goes into other collections, which
    servers write too meanwhile. They are compared with the log, and only
    then read in place of the old ones, which are emptied.

    \b
    Examples:
      dbz events rebuild --check
      dbz events rebuild --yes

    \b
    Exit codes: 0 nothing differs, 1 rows differ (of a rebuild: nothing was
    switched), 2 wrong usage, 3 a store failed, 130 interrupted or declined.
    """
    with stores(redis_url, mongo_uri, shards, needs_mongo=True, what="dbz events", remedy=NO_REDIS) as where:
        if not check:
            confirm("Count everything again and switch to it?", yes=yes, so_far="nothing was rebuilt")
        outcome = run_interruptibly(_carried_out(where, database, check=check))
    from dbz.report.words.rebuild import rebuild_document, rebuild_text

    typer.echo(json.dumps(rebuild_document(outcome, check), indent=2) if as_json else rebuild_text(outcome, check))
    raise typer.Exit(ExitCode.BROKEN if outcome.differences or not (check or outcome.switched) else ExitCode.OK)


async def _carried_out(where: StoreAddresses, database: str, *, check: bool) -> RebuildOutcome:
    import asyncio
    from contextlib import AsyncExitStack

    from dbz.background import end
    from dbz.cache.problems import reported
    from dbz.cli.cache.databases import connect
    from dbz.errors import UsageError
    from dbz.server.data.offline import offline_core
    from dbz.server.game.results.rebuild import Rebuild
    from dbz.server.pacing.lease import RedisLease
    from dbz.server.settings import StoreSettings

    addresses = StoreSettings(
        mongo_uri=where.mongo_uri, redis_url=where.redis_url, database=database, shards=where.shards
    )
    async with AsyncExitStack() as looked_at:
        await connect(looked_at, where, database)  # says in words what is wrong about an address
    with reported():
        async with offline_core(addresses, where.environment) as core:
            work = Rebuild(core, lambda text: typer.echo(text, err=True))
            if check:
                return await work.check()
            lease = RedisLease(core.redis, "events:rebuild", _LEASE_S)
            if not await lease.take():
                raise UsageError("somebody rebuilds already", hint="wait for its end, or half a minute", code="E003")
            renewing = asyncio.create_task(_renew(lease))
            try:
                return await work.run()
            finally:
                await end([renewing])
                await lease.release()


async def _renew(lease: RedisLease) -> None:
    import asyncio

    while await lease.renew():
        await asyncio.sleep(_LEASE_S / 3)
