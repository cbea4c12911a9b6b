"""`dbz cache warm`."""

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
    Embedded,
    MongoUri,
    Prefix,
    RedisUrl,
    ShardsFile,
    StoreAddresses,
    stores,
)
from dbz.cli.confirm import confirm
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AllowTarget, AsJson, Yes
from dbz.errors import DependencyError, ExitCode, InterruptedRunError, UsageError
from dbz.masking import masked_url

if TYPE_CHECKING:
    from dbz.cache.nodes import AnyRedis
    from dbz.cache.warm import Databases, WarmOrder, WarmReport
    from dbz.cache.warm.benefit import ShortLoad

_REDRAW_S = 0.1


def warm(
    only: Annotated[str, typer.Option(metavar="NAMES", help="Some warmers only, like posts,games.")] = "",
    club: Annotated[list[str] | None, typer.Option(metavar="ID", help="Some clubs only; may be repeated.")] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Keys written at most, like 5000/s, or max [default: the file's]."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and whether it fits.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, where an interrupted warm-up would be continued.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Empty the cache, load, empty it, warm, load again; compare both.")
    ] = False,
    target: Annotated[str, typer.Option(metavar="URL", help="With --measure: the server to load.")] = "",
    allow_target: AllowTarget = None,
    yes: Yes = False,
    config: Annotated[str, typer.Option(metavar="FILE", help="What to warm; see configs/warmup.yaml.")] = "default",
    from_redis: Annotated[
        str, typer.Option(metavar="URL", help="Copy what another Redis has, in place of reading the document store.")
    ] = "",
    redis_url: RedisUrl = "",
    mongo_uri: MongoUri = "",
    database: Database = DEFAULT_DATABASE,
    shards: ShardsFile = "",
    prefix: Prefix = DEFAULT_PREFIX,
    embedded: Embedded = False,
    as_json: AsJson = False,
) -> None:
    """Fill the cache with what is about to be asked for.

    \b
    Warmers (posts, games, members, band, clubs, and the list pages) run side
    by side under one rate. A key that exists is left alone, so nothing newer
    is overwritten; what changes meanwhile is read again. Warming stops before
    anything would be evicted. A warm-up that was interrupted is continued.

    \b
    Examples:
      dbz cache warm                         the running `dbz serve`
      dbz cache warm --dry-run               keys, bytes, and whether they fit
      dbz cache warm --only posts,games --club club00
      dbz cache warm --rate 500/s            gently
      dbz cache warm --measure --yes         what it is worth: p95 and hit ratio
      REDIS_URL=rediss://… MONGODB_URI=… dbz cache warm
      dbz cache warm --shards shards.yaml    every shard that the file names
      dbz cache warm --embedded              a trial, with demo data
      dbz cache warm --from-redis rediss://blue --redis-url rediss://green

    \b
    Exit codes: 0 complete, 1 a warmer could use none of its documents, or
    nothing was written at all, 2 wrong usage, 3 a store failed or Redis has
    no room (what was written is reported), 130 interrupted (run it again to
    go on).
    """
    from dbz.cache.warm import WarmOrder
    from dbz.config.warmup import load_warmup

    names = [name.strip() for name in only.split(",") if name.strip()]
    order = WarmOrder(load_warmup(config), names, club or (), prefix)
    _ = order.warmers
    rate_per_s = order.warmup.rate if rate is None else _rate(rate)
    if from_redis:
        if measure or dry_run or only or club or embedded or mongo_uri or shards:
            raise UsageError(
                "--from-redis copies a whole cache; it goes with --redis-url, --rate and --prefix only", code="E003"
            )
        with stores(redis_url) as where:
            run_interruptibly(_copy(from_redis, where.redis_url, prefix, rate_per_s, as_json=as_json))
        return
    with stores(redis_url, mongo_uri, shards, needs_mongo=True, embedded=embedded) as where:
        if measure:
            load = _load(where, target, allow_target or [])
            _ask(load, yes)
            run_interruptibly(_compare(order, where, database, rate_per_s, load, as_json=as_json))
        elif dry_run:
            run_interruptibly(_show_plan(order, where, database, as_json=as_json))
        else:
            run_interruptibly(_warm(order, where, database, rate_per_s, restart=restart, as_json=as_json))


def _load(where: StoreAddresses, target: str, allowed: list[str]) -> ShortLoad:
    from dbz.cache.warm.benefit import ShortLoad

    if not (target or where.url):
        raise UsageError(
            "which server uses this cache? --measure puts a load on it", hint="give --target URL", code="E004"
        )
    return ShortLoad(target or where.url, allowed=allowed)


def _ask(load: ShortLoad, yes: bool) -> None:
    typer.echo(
        f"The whole cache is made stale twice, and {load.users} users load {masked_url(load.target)} "
        f"for {load.duration_s:g} s after each.",
        err=True,
    )
    confirm("Go on?", yes=yes)


async def _compare(
    order: WarmOrder, where: StoreAddresses, database: str, rate_per_s: float | None, load: ShortLoad, *, as_json: bool
) -> None:
    from dbz.cache.problems import reported
    from dbz.cache.warm.benefit import compare
    from dbz.report.terminal.cache.warm import print_benefit, print_warm

    async with AsyncExitStack() as resources:
        redis, databases = await connect(resources, where, database)

        async def warm_now() -> None:
            report = await carry_out(order, databases, redis, rate_per_s, restart=True)
            if not as_json:
                print_warm(report)
            _complain(report)

        operations = [name for warmer in order.warmers for name in warmer.serves]
        with reported():
            found = await compare(
                redis, order.prefix, load, operations, warm_now, lambda text: typer.echo(text, err=True)
            )
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        print_benefit(found)


def _rate(text: str) -> float | None:
    from dbz.config.warmup import UNLIMITED
    from dbz.units import parse_rate

    if text == UNLIMITED:
        return None
    try:
        rate_per_s = parse_rate(text)
    except ValueError as error:
        raise UsageError(f"--rate: {error}, or {UNLIMITED}", code="E002") from None
    if rate_per_s <= 0:
        raise UsageError(
            f"--rate: {text} would never write anything; write for example 5000/s, or {UNLIMITED}", code="E002"
        )
    return rate_per_s


async def _show_plan(order: WarmOrder, where: StoreAddresses, database: str, *, as_json: bool) -> None:
    from dbz.cache.problems import reported
    from dbz.cache.warm.dry_run import dry_run
    from dbz.report.terminal.cache.warm import print_plan

    async with AsyncExitStack() as resources:
        redis, databases = await connect(resources, where, database)
        with reported():
            plan = await dry_run(order, databases, redis)
    if as_json:
        typer.echo(json.dumps(plan.document(), indent=2))
    else:
        print_plan(plan)


async def _warm(
    order: WarmOrder, where: StoreAddresses, database: str, rate_per_s: float | None, *, restart: bool, as_json: bool
) -> None:
    async with AsyncExitStack() as resources:
        redis, databases = await connect(resources, where, database)
        report = await carry_out(order, databases, redis, rate_per_s, restart=restart)
    _show(report, as_json=as_json)
    _complain(report)


async def _copy(from_url: str, to_url: str, prefix: str, rate_per_s: float | None, *, as_json: bool) -> None:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.warm.copying import CacheCopy

    if from_url == to_url:
        raise UsageError("--from-redis is the same Redis as the one to be warmed", code="E003")
    async with AsyncExitStack() as resources:
        source = await resources.enter_async_context(connected_redis(from_url))
        target = await resources.enter_async_context(connected_redis(to_url))
        report = await CacheCopy(source, target, prefix, rate_per_s).run()
    _show(report, as_json=as_json)
    _complain(report)


def _complain(report: WarmReport) -> None:
    """Raise what a warm-up that is not complete ends with."""
    if report.stopped == INTERRUPTED:
        raise InterruptedRunError("interrupted; what was written stays, and the next warm-up goes on from here")
    if report.stopped:
        raise DependencyError(
            f"the warm-up is not complete: {report.stopped}",
            hint="what was written stays; run it again to go on",
            code="C006",
        )
    if report.in_vain:
        for line in report.in_vain:
            typer.echo(f"dbz: nothing was written by {line}", err=True)
        raise typer.Exit(ExitCode.BROKEN)


INTERRUPTED = "interrupted"


async def carry_out(
    order: WarmOrder, databases: Databases, redis: AnyRedis, rate_per_s: float | None, *, restart: bool
) -> WarmReport:
    """Warm with a live view; an interrupt ends it with a report that says so."""
    import asyncio

    from dbz.background import end
    from dbz.cache.problems import reported
    from dbz.cache.warm import WarmRun
    from dbz.report.terminal.cache.warm import warm_view

    run = WarmRun(order, databases, redis, rate_per_s)
    with warm_view() as view, reported():
        working = asyncio.create_task(run.run(restart=restart))
        counting = [asyncio.create_task(run.count())] if view.counts else []
        try:
            while not working.done():
                await asyncio.wait([working], timeout=_REDRAW_S)
                view.update(run.tallies)
            return await working
        except asyncio.CancelledError:
            await end([working])  # what is being written now is still counted
            return run.report(INTERRUPTED)
        finally:
            await end([working, *counting])


def _show(report: WarmReport, *, as_json: bool) -> None:
    from dbz.report.terminal.cache.warm import print_warm

    if as_json:
        typer.echo(json.dumps(report.document(), indent=2))
    else:
        print_warm(report)
