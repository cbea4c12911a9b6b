"""The kinds of things that are watched, and what each kind can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dbz.config.grammar.watched import Watched


class WatchedKind(StrEnum):
    """What a watched thing is; the value says its section of the file."""

    TARGET = "targets"
    REDIS = "redis"
    STORE = "stores"
    SHARDS = "shards"
    QUEUE = "queues"
    ECS = "ecs"
    PROBE = "probes"
    SCENARIO = "probes with a scenario"


TELLS: Mapping[WatchedKind, frozenset[Watched]] = {
    WatchedKind.TARGET: frozenset((
        Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS, Watched.ERROR_RATE, Watched.RESPONSE_TIME,
        Watched.P95_RESPONSE_TIME, Watched.PEAK_RESPONSE_TIME, Watched.QUERY_TIME, Watched.P95_QUERY_TIME,
        Watched.HIT_RATIO, Watched.EVENT_LOOP_LAG, Watched.PROBE_TIME,
    )),
    WatchedKind.REDIS: frozenset((
        Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS, Watched.HIT_RATIO, Watched.EVICTIONS,
        Watched.REPLICATION_LAG, Watched.PROBE_TIME,
    )),
    WatchedKind.STORE: frozenset((
        Watched.MEMORY, Watched.CONNECTIONS, Watched.REQUESTS, Watched.QUERY_TIME, Watched.REPLICATION_LAG,
        Watched.PROBE_TIME,
    )),
    WatchedKind.SHARDS: frozenset((Watched.SHARD_SKEW,)),
    WatchedKind.QUEUE: frozenset((Watched.QUEUE_DEPTH, Watched.PENDING_MESSAGES)),
    WatchedKind.ECS: frozenset((Watched.CPU, Watched.MEMORY, Watched.RUNNING_TASKS, Watched.MISSING_TASKS)),
    WatchedKind.PROBE: frozenset((Watched.PROBE_TIME,)),
    WatchedKind.SCENARIO: frozenset((
        Watched.ROUND_TRIP, Watched.LOST_MESSAGES, Watched.ERROR_RATE, Watched.RESPONSE_TIME, Watched.P95_RESPONSE_TIME,
    )),
}  # fmt: skip
"""The metrics that a thing of each kind may tell; a rule without `targets` is about every thing that may tell its."""


@dataclass(frozen=True)
class WatchedThing:
    """Something that is watched, of whatever kind."""

    name: str
    kind: WatchedKind
    place: str
    """Where it is, for people: without what is secret in it."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What its alerts have too."""
