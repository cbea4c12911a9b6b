"""What is there: the part of an AWS account that a plan is about, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A service, wherever it is looked at from; two of one name in two regions are two."""

    account: str
    """The twelve digits of the AWS account."""
    region: str
    """The region's name, as in eu-west-1."""
    cluster: str
    """The cluster's name."""
    service: str
    """The service's name."""

    def __str__(self) -> str:
        return f"{self.service} in {self.cluster}, {self.region}, account {self.account}"

    def key(self, role: str) -> str:
        """The name of a role about it: `ACCOUNT/REGION/CLUSTER/SERVICE/ROLE`."""
        return f"{self.account}/{self.region}/{self.cluster}/{self.service}/{role}"


@dataclass(frozen=True)
class ServiceDeployment:
    """One deployment of a service; `rollout` is empty where ECS does not say."""

    id: str
    status: str
    rollout: str
    desired: int
    running: int
    failed: int
    reason: str


@dataclass(frozen=True)
class Event:
    """What ECS says it did."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True)
class TargetGroup:
    """A target group of a service; `name` and `load_balancer` (empty: none) are what CloudWatch calls them, `host` is
    where the latter answers."""

    arn: str
    name: str
    load_balancer: str
    host: str


@dataclass(frozen=True)
class EcsService:
    """An ECS service; `target_groups` are ARNs."""

    cluster: str
    name: str
    arn: str
    status: str
    desired: int
    running: int
    pending: int
    task_definition: str
    deployments: tuple[ServiceDeployment, ...]
    events: tuple[Event, ...]
    target_groups: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()

    @property
    def resource_id(self) -> str:
        """What Application Auto Scaling calls it."""
        return f"service/{self.cluster}/{self.name}"

    @property
    def deploying(self) -> bool:
        """Whether a rollout is going on."""
        return len(self.deployments) > 1 or any(one.rollout == "IN_PROGRESS" for one in self.deployments)

    @property
    def failed(self) -> str:
        """Why its newest rollout failed; empty when it did not."""
        return next((one.reason or "the rollout failed" for one in self.deployments if one.rollout == "FAILED"), "")

    @property
    def steady(self) -> bool:
        """Whether what runs is what is wanted."""
        return self.running == self.desired and not self.pending and not self.deploying


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm; `settings` is what PutMetricAlarm would take."""

    name: str
    state: str
    reason: str
    settings: Json

    @property
    def of_aws(self) -> bool:
        """Whether AWS made it for a target-tracking policy, and changes it as it likes."""
        return self.name.startswith("TargetTracking-")


@dataclass(frozen=True)
class CacheGroup:
    """An ElastiCache replication group; `replicas` for each of its `shards`."""

    id: str
    status: str
    shards: int
    replicas: int

    @property
    def nodes(self) -> int:
        """All nodes of all shards."""
        return self.shards * (1 + self.replicas)


@dataclass(frozen=True)
class Live:
    """All of it; `target_groups` only where `with_target_groups` has read them. `target` (None: there is none),
    `policies` and `schedules` are what Application Auto Scaling takes."""

    account: str
    region: str
    service: EcsService
    target: Json | None
    policies: Mapping[str, Json]
    alarms: Mapping[str, Alarm]
    schedules: Mapping[str, Json]
    cache: CacheGroup | None
    target_groups: tuple[TargetGroup, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether its range is a single number, as a fixed count with an end leaves it."""
        return self.target is not None and self.target["MinCapacity"] == self.target["MaxCapacity"]

    @property
    def place(self) -> Place:
        """Which service it is, for all machines."""
        return Place(self.account, self.region, self.service.cluster, self.service.name)

    def fingerprint(self) -> str:
        """A digest of what a plan depends on: what is configured, not what is momentarily running."""
        document = {
            "account": self.account,
            "region": self.region,
            "service": self.service.arn,
            "desired": self.service.desired,
            "target": self.target,
            "policies": self.policies,
            "alarms": {name: alarm.settings for name, alarm in self.alarms.items() if not alarm.of_aws},
            "schedules": self.schedules,
            "cache": asdict(self.cache) | {"status": ""} if self.cache else None,
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]
