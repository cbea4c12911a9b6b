"""Connections for a person at a terminal: checked at once, with errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dbz.background import closed
from dbz.cache.nodes import REDIS_ERRORS, AnyRedis
from dbz.cache.problems import unknown_command
from dbz.cache.warm.databases import Database
from dbz.errors import DependencyError, UsageError
from dbz.masking import masked_url, reason_of
from dbz.mongo_client import async_client, driver_text

_TIMEOUT_S = 4.0
_HEARTBEAT_MS = 1000
"""A store that hangs, rather than refuse, is noticed by the heartbeat; one that is only slow with a query is not."""
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


_NOT_ADMITTED = (13, 18, 8000)
"""Unauthorized, AuthenticationFailed, and what Atlas says instead."""
_BYTES_AS_THEY_ARE = "surrogateescape"
"""Keys need not be UTF-8: what Python gets as text it gives back as the same bytes."""
_MOST_DIGITS = 9
READING_ANYTHING: dict[str, Any] = {
    "datetime_conversion": "DATETIME_AUTO",
    "unicode_decode_error_handler": "replace",
}
"""Options of a document store's client: dates beyond Python's years, and texts that are no UTF-8, are read as well."""


def shown(url: str) -> str:
    """A URL without its user, password and options, which may hold a password too."""
    masked = masked_url(url)
    try:
        parts = urlsplit(masked)
    except ValueError:
        return "(a URL that cannot be read)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def host_of(url: str) -> str | None:
    """The host of a Redis URL, None where it names none; `UsageError` when it is no URL."""
    return _parts(url).hostname


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _no_url(url, error) from None


@asynccontextmanager
async def connected_redis(url: str) -> AsyncIterator[AnyRedis]:
    """A client of the Redis, or of the whole Redis Cluster, at `url`; TLS with `rediss://`, ACL users in the URL.

    Raises `UsageError` for what is no URL, `DependencyError` when nobody answers or the user may not come in.
    """
    check_database(url)
    _check_files(url)
    try:
        single = Redis.from_url(url, **_options())
        single.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # looks at the options in the URL too
    except (ValueError, TypeError, *REDIS_ERRORS) as error:
        raise _no_url(url, error) from None
    client: AnyRedis = single
    try:
        if (await client.info("cluster")).get("cluster_enabled"):
            await client.aclose()
            client = RedisCluster.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                encoding_errors=_BYTES_AS_THEY_ARE,
            )
            await client.initialize()
    except (*REDIS_ERRORS, OSError, TimeoutError) as error:
        await closed(client.aclose())
        if isinstance(error, ResponseError) and "DB index" in str(error):
            raise UsageError(f"Redis at {shown(url)} has no database of this number", code="C001") from None
        raise DependencyError(f"Redis at {shown(url)} {_refusal(error)}", hint=_hint(url, error), code="C002") from None
    try:
        yield client
    finally:
        await closed(client.aclose())


def _options() -> dict[str, Any]:
    return {
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": _TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "encoding_errors": _BYTES_AS_THEY_ARE,
    }


def check_database(url: str) -> None:
    """`UsageError` when what follows the host of a Redis URL is no database number.

    redis-py takes database 0 for `/stage`, and 12 for `/1/2`: a purge would then empty a database that nobody named.
    """
    parts = _parts(url)
    given = [unquote(value) for value in parse_qs(parts.query, keep_blank_values=True).get("db", ())]
    if parts.scheme in ("redis", "rediss") and parts.path not in ("", "/"):
        given.append(unquote(parts.path)[1:])
    for database in given:
        if not (database.isascii() and database.isdigit() and len(database) <= _MOST_DIGITS):
            hint = "write the number, like redis://HOST:PORT/0, or leave it out for database 0"
            where = shown(url)
            what = f"'{database}' in '{where}'" if where.endswith(database) else f"the path of '{where}'"
            raise UsageError(f"{what} is not the number of a database", hint=hint, code="C001")


def _check_files(url: str) -> None:
    for name, (path, *_) in parse_qs(_parts(url).query).items():
        if name in _FILES and not Path(path).is_file():
            raise UsageError(f"the file '{path}', which {name} in the Redis URL names, does not exist", code="C001")


def _no_url(url: str, error: Exception) -> UsageError:
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    problem = f"unknown option '{found[1]}'" if found else reason_of(error)
    forms = "redis://HOST:PORT, rediss://USER:PASSWORD@HOST:PORT?ssl_ca_certs=FILE"
    return UsageError(f"'{shown(url)}' is not a Redis URL: {problem}", hint=f"write for example {forms}", code="C001")


def _refusal(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        unnamed = "already authenticated" in str(error) or "NOAUTH" in str(error)
        return "asks for a password" if unnamed else f"does not know this user or password: {error}"
    if isinstance(error, NoPermissionError):
        return f"does not permit what is needed: {error}"
    if isinstance(error, RedisClusterException):
        return f"is a cluster that cannot serve: {error}"
    if unknown := unknown_command(str(error)):
        return unknown
    return f"cannot be reached: {error or type(error).__name__}"


def _hint(url: str, error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "put user and password into REDIS_URL: redis://USER:PASSWORD@HOST:PORT"
    if isinstance(error, RedisClusterException):
        return "`redis-cli --cluster check HOST:PORT` says which slots nobody serves"
    if isinstance(error, NoPermissionError) or unknown_command(str(error)):
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
        client = async_client(
            uri,
            serverSelectionTimeoutMS=int(_TIMEOUT_S * 1000),
            connectTimeoutMS=int(_TIMEOUT_S * 1000),
            heartbeatFrequencyMS=_HEARTBEAT_MS,
            socketTimeoutMS=60_000,
            tz_aware=True,
            **READING_ANYTHING,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise UsageError(f"'{shown(uri)}' is not a MongoDB URI: {reason_of(error)}", code="C001") from None
    try:
        await client.admin.command("ping")
    except (PyMongoError, OSError) as error:
        await closed(client.close())
        text = driver_text(error)
        if isinstance(error, OperationFailure) and error.code in _NOT_ADMITTED:
            hint = "put user and password into MONGODB_URI, and ?authSource=DATABASE where the user is kept elsewhere"
            what = f"{who} at {shown(uri)} does not admit this user: {text}"
            raise DependencyError(what, hint=hint, code="C003") from None
        hint = "start `dbz serve`, or name another with --mongo-uri or MONGODB_URI"
        raise DependencyError(f"{who} at {shown(uri)} cannot be reached: {text}", hint=hint, code="C003") from None
    try:
        yield client[name]
    finally:
        await closed(client.close())
