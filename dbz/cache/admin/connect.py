"""Connections for a person at a terminal: checked at once, with errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dbz.cache.nodes import AnyRedis
from dbz.cache.warm.databases import Database
from dbz.errors import DependencyError, UsageError

_TIMEOUT_S = 5.0
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def shown(url: str) -> str:
    """A URL without its user, password and options, which may hold a password too."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@asynccontextmanager
async def connected_redis(url: str) -> AsyncIterator[AnyRedis]:
    """A client of the Redis, or of the whole Redis Cluster, at `url`; TLS with `rediss://`, ACL users in the URL.

    Raises `UsageError` for what is no URL, `DependencyError` when nobody answers or the user may not come in.
    """
    _check_files(url)
    try:
        single = Redis.from_url(url, **_options())
        single.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # looks at the options in the URL too
    except (ValueError, TypeError, RedisError) as error:
        raise _no_url(url, error) from None
    client: AnyRedis = single
    try:
        if (await client.info("cluster")).get("cluster_enabled"):
            await client.aclose()
            client = RedisCluster.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
            await client.initialize()
    except (RedisError, OSError, TimeoutError) as error:
        await client.aclose()
        raise DependencyError(f"Redis at {shown(url)} {_refusal(error)}", hint=_hint(url, error)) from None
    try:
        yield client
    finally:
        await client.aclose()


def _options() -> dict[str, Any]:
    return {
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": _TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }


def _check_files(url: str) -> None:
    for name, (path, *_) in parse_qs(urlsplit(url).query).items():
        if name in _FILES and not Path(path).is_file():
            raise UsageError(f"the file '{path}', which {name} in the Redis URL names, does not exist")


def _no_url(url: str, error: Exception) -> UsageError:
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    problem = f"unknown option '{found[1]}'" if found else str(error)
    forms = "redis://HOST:PORT, rediss://USER:PASSWORD@HOST:PORT?ssl_ca_certs=FILE"
    return UsageError(f"'{shown(url)}' is not a Redis URL: {problem}", hint=f"write for example {forms}")


def _refusal(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return f"does not know this user or password: {error}"
    if isinstance(error, NoPermissionError):
        return f"does not permit what is needed: {error}"
    return f"cannot be reached: {error or type(error).__name__}"


def _hint(url: str, error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "put user and password into REDIS_URL: redis://USER:PASSWORD@HOST:PORT"
    if isinstance(error, NoPermissionError):
        return "docs/cache.md lists what a user must be permitted"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "add ?ssl_ca_certs=FILE to the URL: the certificates of those who may sign the server's"
    if "[SSL" in str(error) or (isinstance(error, RedisTimeoutError) and url.startswith("rediss:")):
        return "is this the port for TLS? without TLS write redis:// instead of rediss://"
    return "start `dbz serve`, or name another with --redis-url or REDIS_URL"


@asynccontextmanager
async def connected_database(uri: str, name: str, who: str = "the document store") -> AsyncIterator[Database]:
    """The database `name` of the document store at `uri`, which errors call `who`; errors as above."""
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=int(_TIMEOUT_S * 1000),
            connectTimeoutMS=int(_TIMEOUT_S * 1000),
            socketTimeoutMS=60_000,
            tz_aware=True,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise UsageError(f"'{shown(uri)}' is not a MongoDB URI: {error}") from None
    try:
        await client.admin.command("ping")
    except (PyMongoError, OSError) as error:
        await client.close()
        text = str(error).partition(", Timeout:")[0]
        hint = "start `dbz serve`, or name another with --mongo-uri or MONGODB_URI"
        raise DependencyError(f"{who} at {shown(uri)} cannot be reached: {text}", hint=hint) from None
    try:
        yield client[name]
    finally:
        await client.close()
