"""Connections to the shards of a deployment and to its control store; what fails is named, never with its URI."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from dbz.config.shards import Shards
from dbz.errors import DependencyError, UsageError
from dbz.mongo_client import blocking_client, driver_text

IDENTITY = "identity"
"""The collection with a shard's own name, and its one document."""
_BROKEN = frozenset({1, 8, 14031})  # internal, unknown, out of disk space

Document = dict[str, Any]
Raw = Database[Any]

_DURABLE = WriteConcern("majority", j=True)
_RAW: CodecOptions[Any] = CodecOptions(
    document_class=RawBSONDocument,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


class Deployment:
    """The shards of a file, connected when they are first asked for; a context manager that closes what it opened.

    All writes are acknowledged by a majority and journalled. `UsageError` for a URI that is missing or malformed.
    """

    def __init__(self, file: Shards, environment: Mapping[str, str] = os.environ, timeout_s: float = 5.0) -> None:
        self.file = file
        self._environment = environment
        self._timeout_ms = int(timeout_s * 1000)
        self._clients: dict[str, MongoClient[Document]] = {}
        self._connecting = threading.Lock()
        _check_distinct(file, environment)

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for client in self._clients.values():
            client.close()

    @property
    def redis_url(self) -> str:
        """Where the servers hear of new maps; empty when there is no Redis."""
        return self._environment.get(self.file.redis, "") if self.file.redis else ""

    @property
    def control(self) -> Database[Document]:
        """The database with the map and the journal: that of the clubs, with `_control` behind its name."""
        variable = self.file.control
        uri = self._environment.get(variable, "") if variable else ""
        name = f"the control store ({variable})" if uri else self.file.names[0]
        client = self._client(name, uri or self.file.uri_of(self.file.names[0], self._environment))
        return client.get_database(f"{self.file.database}_control", write_concern=_DURABLE)

    def identity(self, name: str) -> Collection[Document]:
        """The collection in which a shard's own name is written."""
        client = self._shard_client(name)
        return client.get_database(f"{self.file.database}_control", write_concern=_DURABLE)[IDENTITY]

    def has_uri(self, shard: str) -> bool:
        """Whether it is known where a shard is."""
        return bool(self._environment.get(self.file.shards[shard]))

    def shard(self, name: str) -> Database[Document]:
        """The club data of a shard."""
        return self._shard_client(name).get_database(self.file.database, write_concern=_DURABLE)

    def raw(self, name: str) -> Raw:
        """The club data of a shard, as the bytes that the store has."""
        client = self._shard_client(name)
        return client.get_database(self.file.database, codec_options=_RAW, write_concern=_DURABLE)

    def status(self, name: str) -> Document:
        """`serverStatus` of a shard's server; empty when it gives none."""
        try:
            return dict(self._shard_client(name).admin.command("serverStatus"))
        except OperationFailure:
            return {}

    @contextmanager
    def reaching(self, name: str) -> Iterator[None]:
        """Within this block the errors of a store become a `DependencyError` that names the shard."""
        try:
            yield
        except (PyMongoError, BSONError) as error:
            raise unreachable(self._described(name), error) from error

    def blamed(self, error: PyMongoError) -> str:
        """Which shard an error comes from; `a store` when that is unknown.

        Connections that break carry an address; a server that is up but fails, like one whose disk is full, does not,
        so each is asked for something.
        """
        names = [name for name in self.file.names if self.has_uri(name)]
        for name in names:
            nodes = _place(self._environment[self.file.shards[name]])
            if isinstance(nodes, frozenset) and any(f"{host}:{port}" in str(error) for host, port in nodes):
                return self._described(name)
        for name in names:
            try:
                self.shard(name).command("dbStats")
            except PyMongoError:
                return self._described(name)
        return "a store"

    def _described(self, name: str) -> str:
        return f"{name} ({self.file.shards[name]})" if name in self.file.shards else name

    def _shard_client(self, name: str) -> MongoClient[Document]:
        return self._client(name, self.file.uri_of(name, self._environment))

    def _client(self, name: str, uri: str) -> MongoClient[Document]:
        with self._connecting:
            if name not in self._clients:
                self._clients[name] = self._connected(name, uri)
            return self._clients[name]

    def _connected(self, name: str, uri: str) -> MongoClient[Document]:
        try:
            return blocking_client(
                uri,
                readPreference="primary",  # whatever the URI says: what was just written must be seen
                readConcernLevel="majority",
                serverSelectionTimeoutMS=self._timeout_ms,
                connectTimeoutMS=self._timeout_ms,
                socketTimeoutMS=12 * self._timeout_ms,
                tz_aware=True,
                datetime_conversion="DATETIME_AUTO",
            )
        except (ConfigurationError, InvalidURI, ValueError) as error:
            raise UsageError(
                f"the URI of {self._described(name)} is not valid: {_without_uri(error)}", code="H002"
            ) from None


def unreachable(who: str, error: Exception) -> DependencyError:
    """The error to show when a store does not do what it should."""
    broken = isinstance(error, OperationFailure) and error.code in _BROKEN
    hint = "the store itself is in trouble: is its disk full? Its log says more" if broken else ""
    return DependencyError(f"{who} failed: {_without_uri(error)}", hint=hint, code="H006")


def _without_uri(error: Exception) -> str:
    # The driver may quote the URI with its password.
    return " ".join(word for word in driver_text(error).split() if "@" not in word and "://" not in word)


def _check_distinct(file: Shards, environment: Mapping[str, str]) -> None:
    """Refuse two shards that lead to the same place: clubs would be moved onto themselves, and then deleted."""
    seen: dict[Any, str] = {}
    for name, variable in file.shards.items():
        uri = environment.get(variable)
        if not uri:
            continue
        place = _place(uri)
        if place in seen:
            raise UsageError(
                f"shards '{seen[place]}' and '{name}' have the same URI "
                f"({file.shards[seen[place]]} and {variable} lead to the same server)",
                code="H002",
            )
        seen[place] = name


def _place(uri: str) -> Any:
    try:
        return frozenset(parse_uri(uri, validate=False)["nodelist"])
    except (PyMongoError, ValueError):
        return uri  # connecting will say what is wrong with it


def mark_shard(deployment: Deployment, name: str, owner: str) -> None:
    """Write a shard's name and deployment onto it; `UsageError` when it has others already."""
    check_shards(deployment, [name], owner)
    with deployment.reaching(name):
        deployment.identity(name).replace_one({"_id": IDENTITY}, {"shard": name, "deployment": owner}, upsert=True)


def check_shards(deployment: Deployment, names: Iterable[str], owner: str) -> None:
    """`UsageError` when a shard's URI leads to another shard, or to a shard of another deployment."""
    for name in names:
        with deployment.reaching(name):
            found = deployment.identity(name).find_one({"_id": IDENTITY})
        if found and (found["shard"], found["deployment"]) != (name, owner):
            whose = f"'{found['shard']}'" + ("" if found["deployment"] == owner else " of another deployment")
            raise UsageError(f"the URI of '{name}' ({deployment.file.shards[name]}) leads to {whose}", code="H002")
