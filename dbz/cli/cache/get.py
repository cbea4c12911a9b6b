"""`dbz cache get`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.cache.stores import DEFAULT_PREFIX, Prefix, RedisUrl, stores
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson
from dbz.errors import ExitCode

if TYPE_CHECKING:
    from dbz.cache.admin.entries import StoredEntry


def get(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key, without the prefix.")],
    redis_url: RedisUrl = "",
    prefix: Prefix = DEFAULT_PREFIX,
    as_json: AsJson = False,
) -> None:
    """Print the value that Redis holds for a key.

    \b
    The value goes to standard output, its life and size to standard error.

    \b
    Examples:
      dbz cache get post:club00-p00
      dbz cache get query:posts:club00:1:20:: | jq .total

    \b
    Exit codes: 0 it is there, 1 it is not, 2 wrong usage, 3 Redis failed.
    """
    with stores(redis_url) as where:
        entry = run_interruptibly(_read(where.redis_url, prefix, key))
    if entry is None:
        typer.echo(f"dbz: no value for '{key}' in Redis", err=True)
        if "*" in key:
            typer.echo(f"     this is a key, not a glob; dbz cache ttl '{key}' lists keys", err=True)
        raise typer.Exit(ExitCode.BROKEN)
    if as_json:
        typer.echo(_json(entry.document()))
        return
    from dbz.report.terminal.cache.keys import about_entry

    value = entry.decoded
    typer.echo(value if isinstance(value, str) else _json(value))
    typer.echo(about_entry(entry), err=True)


def _json(value: object) -> str:
    """As people read it; halves of surrogate pairs, which no stream takes, as the escapes that JSON has for them."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode()


async def _read(redis_url: str, prefix: str, key: str) -> StoredEntry | None:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.entries import read_entry
    from dbz.cache.names import Names
    from dbz.cache.problems import reported

    async with connected_redis(redis_url) as redis:
        with reported():
            return await read_entry(redis, Names(prefix), key)
