"""The sections of a monitor file, and everything that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.channels import LOG, AlertChannel
from dbz.config.monitor.fields import NAME, HttpUrl, named
from dbz.config.monitor.kinds import WatchedKind, WatchedThing
from dbz.config.monitor.objectives import ObjectiveEntry
from dbz.config.monitor.retention import Retention
from dbz.config.monitor.routes import AlertRoute, Inhibition, MuteTime
from dbz.config.monitor.targets import (
    ShardsSection,
    WatchedEcs,
    WatchedProbe,
    WatchedQueue,
    WatchedRedis,
    WatchedStore,
    WatchedTarget,
)
from dbz.config.source.model import Duration, Strict
from dbz.masking import masked_url

MOST_THINGS = 200
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 1.0, 3600.0


class MonitorSections(Strict):
    """What stands in the file, and what it names."""

    schema_: Literal["dbz.monitor/1"] = Field(alias="schema")
    interval: Duration = Field(default=10.0, ge=SHORTEST_INTERVAL_S, le=LONGEST_INTERVAL_S)
    """How often each service is asked."""
    no_data_after: Duration = Field(default=60.0, gt=0)
    """After how long of silence NO_DATA is told; rules keep their state meanwhile."""
    down_after: Duration = Field(default=30.0, ge=0)
    """After how long without a good answer of its health path TARGET_DOWN is told."""
    heartbeat: HttpUrl | None = None
    """A URL that is asked after each round, of somebody who tells when that stops."""
    targets: list[WatchedTarget] = Field(default_factory=list, max_length=MOST_THINGS)
    redis: list[WatchedRedis] = Field(default_factory=list, max_length=MOST_THINGS)
    stores: list[WatchedStore] = Field(default_factory=list, max_length=MOST_THINGS)
    shards: ShardsSection | None = None
    """A shards file, whose balance is watched."""
    queues: list[WatchedQueue] = Field(default_factory=list, max_length=MOST_THINGS)
    ecs: list[WatchedEcs] = Field(default_factory=list, max_length=MOST_THINGS)
    probes: list[WatchedProbe] = Field(default_factory=list, max_length=MOST_THINGS)
    alerts: list[AlertRule] = Field(max_length=500)
    channels: dict[Annotated[str, named(NAME, "slack")], AlertChannel] = Field(default_factory=dict)
    routes: list[AlertRoute] = Field(default_factory=lambda: [AlertRoute(to=[LOG])])
    mute: list[MuteTime] = Field(default_factory=list)
    retention: Retention = Retention()
    inhibit: list[Inhibition] = Field(default_factory=list)
    objectives: list[ObjectiveEntry] = Field(default_factory=list)
    """Budgets that must hold over weeks; each becomes alerts that say how fast it is used up."""

    @property
    def labels(self) -> dict[str, list[str]]:
        """The names of all labels of the file, with their values."""
        values: dict[str, list[str]] = {}
        own = [*(rule.labels for rule in self.alerts), *(objective.labels for objective in self.objectives)]
        for labels in (*own, *(thing.labels for thing in self.watched)):
            for name, value in labels.items():
                values.setdefault(name, []).append(value)
        return {name: sorted(set(each)) for name, each in sorted(values.items())}

    @property
    def watched(self) -> list[WatchedThing]:
        """Everything that is watched, in the order of the sections."""
        return list(self._things())

    def _things(self) -> Iterator[WatchedThing]:
        for target in self.targets:
            yield WatchedThing(target.name, WatchedKind.TARGET, masked_url(target.url), target.labels)
        for redis in self.redis:
            yield WatchedThing(redis.name, WatchedKind.REDIS, masked_url(redis.url), redis.labels)
        for store in self.stores:
            yield WatchedThing(store.name, WatchedKind.STORE, masked_url(store.uri), store.labels)
        if self.shards is not None:
            yield WatchedThing(self.shards.name, WatchedKind.SHARDS, self.shards.file, self.shards.labels)
        for queue in self.queues:
            place = queue.key or masked_url(queue.sqs or "")
            yield WatchedThing(queue.name, WatchedKind.QUEUE, place, queue.labels)
        for ecs in self.ecs:
            yield WatchedThing(ecs.name, WatchedKind.ECS, f"{ecs.cluster}/{ecs.service}", ecs.labels)
        for probe in self.probes:
            if probe.http:
                yield WatchedThing(probe.name, WatchedKind.PROBE, masked_url(probe.http), probe.labels)
            else:
                yield WatchedThing(probe.name, WatchedKind.SCENARIO, probe.scenario, probe.labels)
