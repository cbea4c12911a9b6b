"""`dbz cache bench`."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import typer

from dbz.cli.cache.stores import Embedded, RedisUrl, stores
from dbz.cli.confirm import confirm
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson, Yes

if TYPE_CHECKING:
    from dbz.cache.admin.bench import CacheBench

_LOOPBACK = ("127.0.0.1", "localhost", "::1", None)


def bench(
    yes: Yes = False,
    redis_url: RedisUrl = "",
    embedded: Embedded = False,
    as_json: AsJson = False,
) -> None:
    """Measure what this Redis can do for the cache.

    \b
    Writes 20,000 keys of about 500 bytes under a prefix of its own, reads,
    invalidates, and removes them again; it asks first when the Redis is on
    another machine. Takes a few seconds, in which Redis is busy.

    \b
    Examples:
      dbz cache bench                   the Redis of the running `dbz serve`
      dbz cache bench --embedded        one that is started for it
      dbz cache bench --redis-url rediss://cache.example:6379 --yes

    \b
    Exit codes: 0 measured, 2 wrong usage, 3 Redis failed or has no room,
    130 interrupted or declined.
    """
    with stores(redis_url, embedded=embedded) as where:
        from dbz.cache.admin.connect import host_of

        if host_of(where.redis_url) not in _LOOPBACK:
            question = "This Redis is on another machine. Write 20,000 keys (12 MB) into it, and remove them again?"
            confirm(question, yes=yes, so_far="nothing was measured")
        found = run_interruptibly(_measure(where.redis_url))
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        from dbz.report.terminal.cache.bench import print_bench

        print_bench(found)


async def _measure(redis_url: str) -> CacheBench:
    from dbz.cache.admin.bench import bench
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.problems import reported

    async with AsyncExitStack() as clients:
        one = await clients.enter_async_context(connected_redis(redis_url))
        other = await clients.enter_async_context(connected_redis(redis_url))
        with reported():
            return await bench(one, other)
