"""From a monitor file to its sources."""

from __future__ import annotations

from dbz.config.monitor.file import MonitorFile
from dbz.extras import STORE_CLIENTS, need
from dbz.monitor.sources.probe import ProbeSource
from dbz.monitor.sources.reading import Source
from dbz.monitor.sources.service import TargetSource


def sources_of(config: MonitorFile) -> list[Source]:
    """A source for each thing that is watched, but for those that this room is given: probes that play
    a scenario, and what AWS has.

    `DependencyError` when what they need is not installed, `UsageError` or `ConfigError` when a URI or the shards file
    is wrong.
    """
    sources: list[Source] = [TargetSource(target) for target in config.targets]
    sources += [
        ProbeSource(probe.name, probe.http, probe.status, probe.contains) for probe in config.probes if probe.http
    ]
    return sources + _of_stores(config)


def _of_stores(config: MonitorFile) -> list[Source]:
    """Those whose clients a plain installation does not have."""
    sources: list[Source] = []
    queues = [queue for queue in config.queues if queue.redis]
    if config.redis or queues:
        need("watching Redis", {"redis": STORE_CLIENTS["redis"]}, "embedded")
        from dbz.monitor.sources.redis import QueueSource, RedisSource

        sources += [RedisSource(redis) for redis in config.redis]
        sources += [QueueSource(queue.name, queue.redis or "", queue.key, queue.group) for queue in queues]
    if config.stores or config.shards:
        need("watching document stores", {"pymongo": STORE_CLIENTS["pymongo"]}, "embedded")
        from dbz.monitor.sources.shards import shards_source
        from dbz.monitor.sources.stores import store_source

        sources += [store_source(store) for store in config.stores]
        sources += [shards_source(config.shards)] if config.shards else []
    return sources
