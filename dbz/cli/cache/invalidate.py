"""`dbz cache invalidate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dbz.cli.cache.stores import DEFAULT_PREFIX, Prefix, RedisUrl, stores
from dbz.cli.confirm import confirm
from dbz.cli.interrupts import run_interruptibly
from dbz.cli.options import AsJson, Yes
from dbz.errors import DependencyError, InterruptedRunError, UsageError
from dbz.units import counted

if TYPE_CHECKING:
    from dbz.cache.admin.purge import Purge
    from dbz.cache.admin.selection import SelectedKeys, Selection


def invalidate(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="[PATTERN]...", help="Keys, or globs of keys.")
    ] = None,
    club: Annotated[list[str] | None, typer.Option(metavar="ID", help="Everything of a club; may be repeated.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="FIELD:VALUE", help="Every value that shows this; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Yes = False,
    redis_url: RedisUrl = "",
    prefix: Prefix = DEFAULT_PREFIX,
    as_json: AsJson = False,
) -> None:
    """Make cached values stale, in Redis and in every server process.

    \b
    Prints what it would remove, and asks. Keys are searched for and removed
    in small batches, so that Redis goes on answering. Processes hear of it
    within milliseconds; one that missed the message notices within a second.
    A value that is being loaded meanwhile is not stored.

    \b
    Globs are Redis's: * any text, ? one byte, [a-z] a class, \\x the sign x.

    \b
    Examples:
      dbz cache invalidate 'query:posts:*'          all lists of posts
      dbz cache invalidate post:club00-p07 --yes    one post
      dbz cache invalidate --club club00            everything of a club
      dbz cache invalidate --tag author_id:user0003 all that this member wrote
      dbz cache invalidate '*' --dry-run

    \b
    Exit codes: 0 done, 2 wrong usage, 3 Redis failed (what was removed is
    told), 130 interrupted or declined.
    """
    from dbz.cache.admin.selection import selection

    if not (patterns or club or tag):
        raise UsageError(
            "what is to be made stale?", hint="give a PATTERN, --club ID or --tag FIELD:VALUE", code="E004"
        )
    wanted = selection(patterns or (), club or (), tag or ())
    with stores(redis_url) as where:
        found = run_interruptibly(_find(where.redis_url, prefix, wanted))
        if dry_run or not as_json:
            _show_found(found, as_json=as_json)
        if dry_run:
            return
        confirm(f"Make {counted(found.keys, 'key')} stale?", yes=yes, so_far="nothing was removed")
        done, problem = run_interruptibly(_purge(where.redis_url, prefix, wanted))
    _show_done(done, as_json=as_json)
    if problem is not None:
        raise problem


async def _find(redis_url: str, prefix: str, wanted: Selection) -> SelectedKeys:
    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.selection import Search
    from dbz.cache.names import Names
    from dbz.cache.problems import reported

    async with connected_redis(redis_url) as redis:
        with reported():
            return await Search(redis, Names(prefix), wanted).found()


async def _purge(redis_url: str, prefix: str, wanted: Selection) -> tuple[Purge, Exception | None]:
    """What was done, and why it ended early, if it did."""
    import asyncio

    from dbz.cache.admin.connect import connected_redis
    from dbz.cache.admin.purge import Purge, purge
    from dbz.cache.names import Names
    from dbz.cache.problems import reported

    done = Purge()
    try:
        async with connected_redis(redis_url) as redis:
            with reported():
                await purge(redis, Names(prefix), wanted, done)
    except DependencyError as error:
        return done, error
    except asyncio.CancelledError:
        return done, InterruptedRunError("interrupted; not all keys are removed", hint="run it again")
    return done, None


def _show_found(found: SelectedKeys, *, as_json: bool) -> None:
    from dbz.report.terminal.cache.keys import print_found

    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        print_found(found)


def _show_done(done: Purge, *, as_json: bool) -> None:
    from dbz.report.terminal.cache.keys import print_purge

    if as_json:
        typer.echo(json.dumps(done.document(), indent=2))
    else:
        print_purge(done)
