"""`dbz cache stats`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dbz.cli.cache.stores import DEFAULT_PREFIX, Prefix, RedisUrl, stores
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson, time_of
from dbz.cli.streams import reader_has_left
from dbz.errors import UsageError

_BIGGEST = 20


def stats(
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --watch: time between looks [default: 2s].")
    ] = None,
    sample: Annotated[int, typer.Option(min=100, help="Keys to look at, at most; the rest is calculated.")] = 10_000,
    bigkeys: Annotated[
        bool, typer.Option("--bigkeys", help="Look at every key: the largest, and the hot ones by bytes.")
    ] = False,
    redis_url: RedisUrl = "",
    prefix: Prefix = DEFAULT_PREFIX,
    as_json: AsJson = False,
) -> None:
    """Show hits, sizes, lives, evictions and the hottest keys.

    \b
    Servers: each Redis server since its start. Processes: the local layer of
    each server process, as it publishes it. Families: keys of one kind, with
    the requests of all processes; with --watch those since the last look.

    \b
    Examples:
      dbz cache stats
      dbz cache stats --watch
      dbz cache stats --bigkeys
      dbz cache stats --json | jq '.servers[].evicted'
    """
    every_s = time_of("--interval", interval or "2s")
    if interval and not watch:
        raise UsageError("--interval is the time between looks, and there is only one without --watch", code="E003")
    if bigkeys and watch:
        raise UsageError("--bigkeys looks at every key once; leave out --watch", code="E003")
    with stores(redis_url) as where:
        if bigkeys:
            run_interruptibly(_show_big_keys(where.redis_url, prefix, as_json=as_json))
            return
        run_interruptibly(_show(where.redis_url, prefix, sample, every_s if watch else 0.0, as_json=as_json))


async def _show_big_keys(redis_url: str, prefix: str, *, as_json: bool) -> None:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.survey import big_keys
    from dbz.cache.names import Names
    from dbz.cache.problems import reported
    from dbz.report.terminal.cache.stats import print_big_keys

    async with connected_redis(redis_url) as redis:
        with reported():
            found = await big_keys(redis, Names(prefix), _BIGGEST)
    if as_json:
        rows = [{**vars(one), "traffic_bytes": one.traffic_bytes} for one in found]
        typer.echo(json.dumps({"schema": "dbz.cache-big-keys/1", "keys": rows}, indent=2))
    else:
        print_big_keys(found, _BIGGEST)


async def _show(redis_url: str, prefix: str, sample: int, every_s: float, *, as_json: bool) -> None:
    import asyncio

    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.survey import survey
    from dbz.cache.names import Names
    from dbz.cache.problems import reported
    from dbz.report.terminal.cache.stats import stats_view

    async with connected_redis(redis_url) as redis:
        with reported(), stats_view(live=bool(every_s)) as view:
            try:
                while True:
                    found = await survey(redis, Names(prefix), sample)
                    if as_json:
                        typer.echo(json.dumps(found.document(), indent=None if every_s else 2))
                    else:
                        view.show(found)
                    if not every_s or reader_has_left():
                        return
                    await asyncio.sleep(every_s)
            except asyncio.CancelledError:
                if not every_s:
                    raise  # a watch has no other end
