"""Asking a document store for its serverStatus: what it does not tell is left out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psutil
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedStore
from dbz.errors import DependencyError, UsageError
from dbz.hosts import is_loopback
from dbz.mongo_client import blocking_client, driver_text
from dbz.monitor.sources.asking import BlockingSource
from dbz.monitor.sources.reading import SourceReading
from dbz.targets.counters import added

_OPERATIONS = ("insert", "query", "update", "delete", "getmore")
_TIMEOUT_MS = 2000
_MIB = 1024 * 1024


def store_source(config: WatchedStore) -> BlockingSource:
    """A source for a store; `UsageError` for a URI that is malformed."""
    asker = StoreAsker(config)
    return BlockingSource(config.name, asker.ask, asker.close)


class StoreAsker:
    """Asks one store again and again."""

    def __init__(self, config: WatchedStore) -> None:
        try:
            self._client = blocking_client(
                config.uri,
                serverSelectionTimeoutMS=_TIMEOUT_MS,
                connectTimeoutMS=_TIMEOUT_MS,
                socketTimeoutMS=_TIMEOUT_MS,
                appname="dbz monitor",
            )
        except (ConfigurationError, InvalidURI, ValueError) as error:
            what = f"the URI of store '{config.name}' is not valid: {driver_text(error)}"
            raise UsageError(what, code="C001") from None
        own = is_loopback(urlsplit(config.uri.split(",")[0]).hostname or "")
        self._memory_limit = config.memory_limit or (psutil.virtual_memory().total if own else None)
        self._before: tuple[float, Mapping[str, float]] | None = None

    def ask(self) -> SourceReading:
        """How it is; `DependencyError` when it does not answer."""
        began_s = time.monotonic()
        try:
            status = self._client.admin.command("serverStatus")
            took_s = time.monotonic() - began_s
            replicas = self._replicas()
        except OperationFailure as error:
            return SourceReading(up=True, health="answers", trouble=f"serverStatus: {driver_text(error)}")
        except PyMongoError as error:
            raise DependencyError(driver_text(error), code="C003") from error
        program = f"{status.get('process', 'a store')} {status.get('version', '')}".strip()
        reading = SourceReading(up=True, health=program)
        reading.figures = {Watched.PROBE_TIME: took_s * 1000, **_gauges(status), **self._rates(status)}
        if (lag_s := replication_lag_s(replicas)) is not None:
            reading.figures[Watched.REPLICATION_LAG] = lag_s * 1000
        if (resident := status.get("mem", {}).get("resident")) is not None:
            reading.details["memory_bytes"] = float(resident) * _MIB
            if self._memory_limit:
                reading.figures[Watched.MEMORY] = resident * _MIB / self._memory_limit
        return reading

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _replicas(self) -> Mapping[str, Any]:
        try:
            return self._client.admin.command("replSetGetStatus")
        except OperationFailure:
            return {}  # it stands alone, or the user may not ask

    def _rates(self, status: Mapping[str, Any]) -> dict[Watched, float]:
        """Operations a second and the mean time of each, since it was asked before."""
        counters = {key: float(status["opcounters"].get(key, 0)) for key in _OPERATIONS if "opcounters" in status}
        for kind, latency in status.get("opLatencies", {}).items():
            if isinstance(latency, Mapping) and kind in ("reads", "writes"):
                counters |= {f"{kind}.ops": float(latency["ops"]), f"{kind}.us": float(latency["latency"])}
        now_s, before = time.monotonic(), self._before
        self._before = now_s, counters
        if before is None or not counters or now_s <= before[0]:
            return {}
        passed = {key: added(value, before[1].get(key, 0.0)) for key, value in counters.items()}
        figures = {Watched.REQUESTS: sum(passed.get(key, 0.0) for key in _OPERATIONS) / (now_s - before[0])}
        timed = sum(passed.get(f"{kind}.ops", 0.0) for kind in ("reads", "writes"))
        if timed:
            took_us = sum(passed.get(f"{kind}.us", 0.0) for kind in ("reads", "writes"))
            figures[Watched.QUERY_TIME] = took_us / timed / 1000
        return figures


def _gauges(status: Mapping[str, Any]) -> dict[Watched, float]:
    current = status.get("connections", {}).get("current")
    return {} if current is None else {Watched.CONNECTIONS: float(current)}


def replication_lag_s(replicas: Mapping[str, Any]) -> float | None:
    """How far the secondary that is worst is behind its primary, from replSetGetStatus; None without a secondary."""
    times: dict[str, list[datetime]] = {}
    for member in replicas.get("members", ()):
        if isinstance(member.get("optimeDate"), datetime):
            times.setdefault(member.get("stateStr", ""), []).append(member["optimeDate"])
    primaries, secondaries = times.get("PRIMARY"), times.get("SECONDARY")
    if not primaries or not secondaries:
        return None
    return max((max(primaries) - min(secondaries)).total_seconds(), 0.0)
