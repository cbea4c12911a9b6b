"""Which stores a cache command works on: the options, the environment, or the running `dbz serve`."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dbz.errors import DependencyError, UsageError

DEFAULT_DATABASE = "dbz"
DEFAULT_PREFIX = "cache:"

RedisUrl = Annotated[
    str, typer.Option(metavar="URL", help="Redis or Redis Cluster; else REDIS_URL, else the running `dbz serve`.")
]
MongoUri = Annotated[
    str, typer.Option(metavar="URI", help="Document store; else MONGODB_URI, else the running `dbz serve`.")
]
Database = Annotated[str, typer.Option(metavar="NAME", help="Database of the document store.")]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="What the cache's keys begin with in Redis.")]
Embedded = Annotated[bool, typer.Option("--embedded", help="Start a backend of demo data for a trial.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@dataclass(frozen=True)
class Stores:
    """Where everything is; empty texts for what is not known."""

    redis_url: str
    mongo_uri: str
    url: str


@contextmanager
def stores(
    redis_url: str, mongo_uri: str = "", *, needs_mongo: bool = False, embedded: bool = False
) -> Iterator[Stores]:
    """The stores to work on; those of `embedded` end with the block.

    Raises `UsageError` when nothing says where they are, `DependencyError` when a client library is missing.
    """
    _require_clients()
    if embedded:
        if redis_url or mongo_uri:
            raise UsageError("--embedded starts stores of its own; leave out --redis-url and --mongo-uri")
        yield from _embedded()
        return
    found = _named(redis_url or os.environ.get("REDIS_URL", ""), mongo_uri or os.environ.get("MONGODB_URI", ""))
    if not found.redis_url:
        raise UsageError(
            "which Redis? nothing says where it is, and no `dbz serve` is running",
            hint="start `dbz serve`, give --redis-url or REDIS_URL, or try it with --embedded",
        )
    if needs_mongo and not found.mongo_uri:
        raise UsageError(
            "which document store? --redis-url came without --mongo-uri", hint="give --mongo-uri or MONGODB_URI"
        )
    yield found


def _named(redis_url: str, mongo_uri: str) -> Stores:
    """What is named, or the running stack when nothing is: never one store of each."""
    from dbz.stack.state import find_stack

    if redis_url or mongo_uri:
        return Stores(redis_url, mongo_uri, "")
    running = find_stack()
    return Stores(running.redis_url, running.mongo_uri, running.url) if running else Stores("", "", "")


def _embedded() -> Iterator[Stores]:
    from dbz.stack import StackOptions, start_stack

    with tempfile.TemporaryDirectory(prefix="dbz-cache-") as logs:
        typer.echo("Starting the embedded stack …", err=True)
        with start_stack(StackOptions(warmup="none"), Path(logs)) as stack:
            yield Stores(stack.redis_url, stack.mongo_uri, stack.url)


def _require_clients() -> None:
    missing = [name for name in ("pymongo", "redis") if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(f"missing: {', '.join(missing)}", hint="pip install 'dbz[embedded]'")
