"""What is watched: services, stores, queues and probes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dbz.config.load.metrics import TargetMetrics, check_place
from dbz.config.monitor.fields import NAME, HttpUrl, Labels, MongoUri, RedisUrl, named
from dbz.config.source.model import Duration, Size, Strict

Named = Annotated[str, named(NAME, "api")]
_SHORTEST_SHARDS_S = 10.0


class WatchedSomething(Strict):
    """What every watched thing may have."""

    labels: Labels = Field(default_factory=dict)
    """What its alerts have too, such as `{team: chat}`."""


class WatchedTarget(WatchedSomething):
    """A service, and where it tells how it is."""

    name: Named
    url: HttpUrl
    health: Annotated[str, AfterValidator(check_place)] = "/healthz"
    """A path below the URL, or a URL of its own. One that is named must be there; else 404 means that there is none,
    until it has once been answered."""
    metrics: TargetMetrics = TargetMetrics()
    memory_limit: Size | None = None
    """What `memory > 80%` is a share of [default: the memory of this machine, for a service on it]."""


class WatchedRedis(WatchedSomething):
    """A Redis or Valkey, asked for its INFO."""

    name: Named
    url: RedisUrl


class WatchedStore(WatchedSomething):
    """A document store that speaks MongoDB's protocol, asked for its serverStatus."""

    name: Named
    uri: MongoUri
    memory_limit: Size | None = None
    """What `memory > 80%` is a share of."""


class WatchedShards(WatchedSomething):
    """The shards of a shards file: how evenly the clubs lie on them."""

    file: str
    """A shards file, as `dbz shard` takes it; the URIs come from the environment."""
    name: Named = "shards"
    skew: Literal["bytes", "clubs"] = "bytes"
    """What `shard skew` weighs."""
    every: Duration = Field(default=60.0, ge=_SHORTEST_SHARDS_S)
    """How often the clubs are counted, which reads every document's size; in between the last count stands."""


def _shards(value: object) -> object:
    return {"file": value} if isinstance(value, str) else value


ShardsSection = Annotated[WatchedShards, BeforeValidator(_shards, json_schema_input_type=str | WatchedShards)]
"""A shards file, or a mapping with more."""


class WatchedQueue(WatchedSomething):
    """A stream or a list of Redis, or a queue of SQS."""

    name: Named
    redis: RedisUrl | None = None
    """The Redis that has the stream or the list."""
    key: str = ""
    """Its key there."""
    group: str = ""
    """Of a stream: the consumer group whose messages count [default: all of the stream, of every group the pending
    ones]."""
    sqs: HttpUrl | None = None
    """The URL of a queue of SQS; credentials are those of the environment."""
    region: str = ""
    """Of SQS [default: that of the environment]."""

    @model_validator(mode="after")
    def _is_one_queue(self) -> WatchedQueue:
        if bool(self.redis) == bool(self.sqs):
            raise ValueError("a queue has one of: redis, sqs")
        if bool(self.redis) != bool(self.key):
            raise ValueError("'key' is what a stream or list is called in 'redis': write both, or neither")
        return self


class WatchedEcs(WatchedSomething):
    """A service of ECS: its tasks, and its CPU and memory as CloudWatch has them."""

    name: Named
    cluster: Annotated[str, Field(min_length=1)]
    service: Annotated[str, Field(min_length=1)]
    region: str = ""
    """[default: that of the environment]"""
    period: Duration = Field(default=60.0, ge=1.0, le=3600.0)
    """Of its metrics."""
    data_age: Duration = Field(default=300.0, ge=1.0, le=3600.0)
    """A newest datapoint that is older says nothing of now."""


class WatchedProbe(WatchedSomething):
    """Something that is tried from outside, as a user would: a URL, or a scenario that is played at a low rate."""

    name: Named
    http: HttpUrl | None = None
    """A URL that is asked each round."""
    status: int = Field(default=200, ge=100, le=599)
    """What a good answer has."""
    contains: str = ""
    """What stands in the body of a good answer."""
    scenario: str = ""
    """A profile or a Locust file, as `dbz load` takes it."""
    target: HttpUrl | None = None
    """The base URL that the scenario is played against [default: that of the first of `targets`]."""
    users: int = Field(default=2, ge=1, le=50)
    """How many take part; a message's way needs two."""
    every: Duration = Field(default=30.0, ge=1.0, le=3600.0)
    """How often one of them begins a task."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> WatchedProbe:
        if bool(self.http) == bool(self.scenario):
            raise ValueError("a probe has one of: http, scenario")
        other = ("target", "users", "every") if self.http else ("status", "contains")
        if given := [key for key in other if key in self.model_fields_set]:
            raise ValueError(f"'{given[0]}' is not of a probe with {'http' if self.http else 'a scenario'}")
        if self.contains and self.status in (204, 304):
            raise ValueError(f"an answer of {self.status} has no body that could contain something")
        return self
