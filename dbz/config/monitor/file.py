"""All of the file, and what must fit together in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from dbz.config.bundled import bundled_folder
from dbz.config.files import existing_file
from dbz.config.grammar.watched import Watched
from dbz.config.model import Duration, MisfitsError, Strict, build
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.channels import LOG, AlertChannel
from dbz.config.monitor.fields import NAME, HttpUrl, named
from dbz.config.monitor.kinds import TELLS, WatchedKind, WatchedThing
from dbz.config.monitor.objectives import Objective, ObjectiveEntry, load_objectives
from dbz.config.monitor.references import misfits
from dbz.config.monitor.retention import Retention
from dbz.config.monitor.routes import AlertRoute, Inhibition, MuteTime
from dbz.config.monitor.targets import (
    Probe,
    ShardsSection,
    WatchedEcs,
    WatchedQueue,
    WatchedRedis,
    WatchedStore,
    WatchedTarget,
)
from dbz.config.source import PlaceholderVariables, expanded, read_yaml
from dbz.masking import masked_url

DEFAULT = "default"
MOST_THINGS = 200
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 1.0, 3600.0


class MonitorFile(Strict):
    """All of the file."""

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
    probes: list[Probe] = Field(default_factory=list, max_length=MOST_THINGS)
    alerts: list[AlertRule] = Field(max_length=500)
    channels: dict[Annotated[str, named(NAME, "slack")], AlertChannel] = Field(default_factory=dict)
    routes: list[AlertRoute] = Field(default_factory=lambda: [AlertRoute(to=[LOG])])
    mute: list[MuteTime] = Field(default_factory=list)
    retention: Retention = Retention()
    inhibit: list[Inhibition] = Field(default_factory=list)
    objectives: list[ObjectiveEntry] = Field(default_factory=list)
    """Budgets that must hold over weeks; each becomes alerts that say how fast it is used up."""
    _objectives: tuple[Objective, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _fits_together(self) -> MonitorFile:
        if problems := list(misfits(self)):
            raise MisfitsError(problems)
        return self

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
        things = [
            WatchedThing(target.name, WatchedKind.TARGET, masked_url(target.url), target.labels)
            for target in self.targets
        ]
        things += [WatchedThing(redis.name, WatchedKind.REDIS, masked_url(redis.url)) for redis in self.redis]
        things += [WatchedThing(store.name, WatchedKind.STORE, masked_url(store.uri)) for store in self.stores]
        if self.shards is not None:
            things.append(WatchedThing(self.shards.name, WatchedKind.SHARDS, self.shards.file))
        things += [
            WatchedThing(queue.name, WatchedKind.QUEUE, queue.key or masked_url(queue.sqs or ""))
            for queue in self.queues
        ]
        things += [WatchedThing(ecs.name, WatchedKind.ECS, f"{ecs.cluster}/{ecs.service}") for ecs in self.ecs]
        for probe in self.probes:
            if probe.http:
                things.append(WatchedThing(probe.name, WatchedKind.PROBE, masked_url(probe.http)))
            else:
                things.append(WatchedThing(probe.name, WatchedKind.SCENARIO, probe.scenario))
        return things

    def target_of(self, probe: Probe) -> str:
        """The base URL that the scenario of a probe is played against."""
        return probe.target or self.targets[0].url

    def types_of(self, thing: WatchedThing) -> list[str]:
        """The types of all alerts of a thing."""
        burns = [level.type for objective in self.objectives_of(thing) for level in objective.levels]
        return [*(rule.type for rule in self.rules_of(thing)), *burns, *BUILT_IN]

    def objectives_of(self, thing: WatchedThing) -> list[Objective]:
        """The objectives that are about a thing; only services have requests and a health path."""
        if Watched.REQUESTS not in TELLS[thing.kind]:
            return []
        return [one for one in self._objectives if not one.entry.targets or thing.name in one.entry.targets]

    def with_objectives(self, objectives: Iterable[Objective]) -> MonitorFile:
        """The same with what its budgets say, which stands in other files."""
        self._objectives = tuple(objectives)
        return self

    def rules_of(self, thing: WatchedThing) -> list[AlertRule]:
        """The rules that are about a thing: those that name it, and those that name none and whose metric it may
        tell."""
        able = TELLS[thing.kind]
        return [
            rule for rule in self.alerts if (thing.name in rule.targets if rule.targets else rule.when.metric in able)
        ]


def load_monitor(text: str, *, with_secrets: bool = True) -> MonitorFile:
    """Read a file, or `default`; `ConfigError` with every problem in it. `${NAME}` is read from the environment.

    Without secrets, variables need not be set: nobody can be told anything by such a file then.
    """
    path = bundled_folder("configs") / "monitor.yaml" if text == DEFAULT else existing_file("monitor file", text)
    source = expanded(read_yaml(Path(path)), os.environ if with_secrets else PlaceholderVariables())
    config = build(MonitorFile, source)
    return config.with_objectives(load_objectives(config.objectives, source, Path(path).parent))
