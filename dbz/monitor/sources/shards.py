"""Counting what lies on the shards: how evenly the clubs are spread, and how much each shard has."""

from __future__ import annotations

import time

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.targets import WatchedShards
from dbz.config.shards import load_shards
from dbz.monitor.sources.asking import BlockingSource
from dbz.monitor.sources.reading import SourceReading
from dbz.shards.deployment import Deployment
from dbz.shards.journal import UNFINISHED
from dbz.shards.plan.balance import imbalance
from dbz.shards.status import status_of

_TIMEOUT_S = 2.0


def shards_source(config: WatchedShards) -> BlockingSource:
    """A source for the shards of a file; `ConfigError` or `UsageError` when the file or a URI is wrong."""
    file = load_shards(config.file)
    for name in file.names[: file.shard_count]:
        file.uri_of(name)
    asker = _ShardsAsker(config, Deployment(file, timeout_s=_TIMEOUT_S))
    return BlockingSource(config.name, asker.ask, asker.close)


class _ShardsAsker:
    """Counts now and then; in between the last count stands."""

    def __init__(self, config: WatchedShards, deployment: Deployment) -> None:
        self._config, self._deployment = config, deployment
        self._last: SourceReading | None = None
        self._counted_s = 0.0

    def ask(self) -> SourceReading:
        """How it is; `DependencyError` or `UsageError` when a shard does not answer."""
        if self._last is None or time.monotonic() - self._counted_s >= self._config.every:
            self._last = None  # what was, when it fails
            self._last, self._counted_s = self._count(), time.monotonic()
        return self._last

    def _count(self) -> SourceReading:
        status = status_of(self._deployment)
        reading = SourceReading(up=True, health=f"{len(status.shards)} shards, epoch {status.epoch}")
        clubs = imbalance([shard.clubs for shard in status.shards])
        reading.figures[Watched.SHARD_SKEW] = status.imbalance if self._config.skew == "bytes" else clubs
        reading.details = {"bytes_skew": status.imbalance, "clubs_skew": clubs, "servers_behind": status.behind}
        reading.details["unfinished_moves"] = sum(move.state in UNFINISHED for move in status.moves)
        for shard in status.shards:
            reading.details |= {f"{shard.name}_clubs": shard.clubs, f"{shard.name}_bytes": shard.bytes}
            if shard.ops_per_s is not None:
                reading.details[f"{shard.name}_operations_per_s"] = shard.ops_per_s
        return reading

    def close(self) -> None:
        """Close its connections."""
        self._deployment.__exit__(None, None, None)
