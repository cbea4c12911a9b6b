"""Which stores a cache command works on: the options, the environment, or the running `dbz serve`."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from dbz.errors import UsageError
from dbz.extras import STORE_CLIENTS, need

NO_REDIS = "start `dbz serve`, or give --redis-url or REDIS_URL"
"""What can be done where nothing says where Redis is."""
_LOG = logging.getLogger(__name__)

DEFAULT_DATABASE = "dbz"
DEFAULT_PREFIX = "cache:"

RedisUrl = Annotated[
    str, typer.Option(metavar="URL", help="Redis or Redis Cluster; else REDIS_URL, else the running `dbz serve`.")
]
MongoUri = Annotated[
    str, typer.Option(metavar="URI", help="Document store; else MONGODB_URI, else the running `dbz serve`.")
]
Database = Annotated[str, typer.Option(metavar="NAME", help="Database of the document store.")]
ShardsFile = Annotated[
    str,
    typer.Option(
        "--shards",
        metavar="FILE",
        help="When clubs lie on shards: their file, or `default` for configs/shards.yaml; `dbz serve` says so itself.",
    ),
]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="What the cache's keys begin with in Redis.")]
Embedded = Annotated[bool, typer.Option("--embedded", help="Start a backend of demo data for a trial.")]


@dataclass(frozen=True)
class StoreAddresses:
    """Where everything is; empty texts for what is not known."""

    redis_url: str
    mongo_uri: str
    url: str
    """Base URL of the server that uses the cache."""
    shards: str = ""
    """The shards file; empty when all clubs are in one database."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Has the variables that the shards file names."""


@contextmanager
def stores(
    redis_url: str,
    mongo_uri: str = "",
    shards: str = "",
    *,
    needs_mongo: bool = False,
    embedded: bool = False,
    what: str = "dbz cache",
    remedy: str = "start `dbz serve`, give --redis-url or REDIS_URL, or try it with --embedded",
) -> Iterator[StoreAddresses]:
    """The stores that the command `what` works on; those of `embedded` end with the block.

    `remedy` is what can be done where nothing says where they are.

    Raises `UsageError` when nothing says where they are, `DependencyError` when a client library is missing.
    """
    need(what, STORE_CLIENTS, "embedded")
    if embedded:
        if redis_url or mongo_uri or shards:
            raise UsageError(
                "--embedded starts stores of its own; leave out --redis-url, --mongo-uri and --shards", code="E003"
            )
        yield from _embedded()
        return
    mongo_uri = mongo_uri or os.environ.get("MONGODB_URI", "") if needs_mongo else ""
    found = _named(redis_url or os.environ.get("REDIS_URL", ""), mongo_uri, shards)
    if not found.redis_url and not found.mongo_uri:
        raise UsageError(
            "which Redis? nothing says where it is, and no `dbz serve` is running",
            hint=remedy,
            code="C004",
        )
    if not found.redis_url:
        raise UsageError(
            "which Redis? the document store came without one", hint="give --redis-url or REDIS_URL", code="C004"
        )
    if needs_mongo and not (found.mongo_uri or found.shards):
        raise UsageError(
            "which document store? --redis-url came without --mongo-uri",
            hint="give --mongo-uri or MONGODB_URI",
            code="C004",
        )
    yield found


def _named(redis_url: str, mongo_uri: str, shards: str) -> StoreAddresses:
    """What is named, or the running stack when nothing is: never one store of each."""
    from dbz.stack.state import find_stack

    if redis_url or mongo_uri:
        _LOG.info("the stores are those that an option or the environment names")
        return StoreAddresses(redis_url, mongo_uri, "", shards, os.environ)
    running = find_stack()
    if running is None:
        return StoreAddresses("", "", "")
    _LOG.info("nothing names a store: taking those of the running dbz serve, process %d", running.pid)
    file = shards or ("default" if running.shards else "")
    return StoreAddresses(running.redis_url, running.mongo_uri, running.url, file, running.shards)


def _embedded() -> Iterator[StoreAddresses]:
    from dbz.stack import StackOptions, start_stack

    with tempfile.TemporaryDirectory(prefix="dbz-cache-") as logs:
        typer.echo("Starting the embedded stack …", err=True)
        with start_stack(StackOptions(warmup="none"), Path(logs)) as stack:
            yield StoreAddresses(stack.redis_url, stack.mongo_uri, stack.url)
