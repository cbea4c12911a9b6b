"""`dbz cache ttl`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.cache.stores import DEFAULT_PREFIX, Prefix, RedisUrl, stores
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.cache.admin.entries import Lives

_MOST = 100_000
"""Keys that are looked at."""


def ttl(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A key, or a glob of keys.")],
    limit: Annotated[int, typer.Option(min=1, help="Keys to print, those that end first.")] = 20,
    redis_url: RedisUrl = "",
    prefix: Prefix = DEFAULT_PREFIX,
    as_json: AsJson = False,
) -> None:
    """Show how long keys still live.

    \b
    Examples:
      dbz cache ttl 'post:*'
      dbz cache ttl 'query:*' --limit 5 --json

    \b
    Exit codes: 0 keys were found, 1 none was, 2 wrong usage, 3 Redis failed.
    """
    with stores(redis_url) as where:
        lives = run_interruptibly(_lives(where.redis_url, prefix, pattern))
    if as_json:
        typer.echo(json.dumps(lives.document(limit), indent=2))
    elif lives.keys:
        from dbz.report.terminal.cache.keys import print_lives

        print_lives(lives, limit)
    else:
        typer.echo(f"dbz: no key matches '{pattern}'", err=True)
    if not lives.keys:
        raise typer.Exit(ExitCode.BROKEN)


async def _lives(redis_url: str, prefix: str, pattern: str) -> Lives:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.entries import read_lives
    from dbz.cache.admin.selection import selection
    from dbz.cache.names import Names
    from dbz.cache.problems import reported

    async with connected_redis(redis_url) as redis:
        with reported():
            return await read_lives(redis, Names(prefix), selection([pattern], [], []), _MOST)
