"""What is there: the part of an AWS account that a plan is about, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dbz.scaling.change.names import ALARM_ACTIONS, EXPIRY, POLICY_ARN, time_of

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
    """One deployment of a service."""

    id: str
    status: str
    """PRIMARY for the newest, ACTIVE for one that goes."""
    rollout: str
    """COMPLETED, IN_PROGRESS or FAILED; empty where ECS does not say."""
    desired: int
    running: int
    failed: int
    """Tasks of it that did not start."""
    reason: str
    """Why the rollout is where it is."""


@dataclass(frozen=True)
class Event:
    """What ECS says it did."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True)
class TargetGroup:
    """A target group of a service."""

    arn: str
    name: str
    """What CloudWatch calls it: `targetgroup/NAME/ID`."""
    load_balancer: str
    """What CloudWatch calls its load balancer, `app/NAME/ID`; empty: none."""
    host: str
    """Where that answers."""
    shared: bool = False
    """Whether that load balancer has other target groups too."""


@dataclass(frozen=True)
class EcsService:
    """An ECS service."""

    cluster: str
    name: str
    arn: str
    status: str
    """ACTIVE, or what ECS calls one that is gone."""
    desired: int
    """Tasks that are asked for."""
    running: int
    """Tasks that run."""
    pending: int
    """Tasks that are starting."""
    task_definition: str
    deployments: tuple[ServiceDeployment, ...]
    events: tuple[Event, ...]
    """The newest first."""
    target_groups: tuple[str, ...] = ()
    """ARNs."""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    scheduling: str = "REPLICA"
    """Or DAEMON: a task on each instance, whatever number is asked for."""
    controller: str = "ECS"
    """Who deploys it: ECS, CODE_DEPLOY or EXTERNAL."""
    breaker: str = ""
    """What its deployment circuit breaker does with one that fails: `stops` or `rolls back`; empty: there is none."""
    revisions: tuple[str, ...] = ()
    """ARNs of the service revisions that run."""
    alternates: Mapping[str, str] = field(default_factory=dict)
    """ARNs of the target groups to which blue/green deployments of ECS move its tasks, and back, by those of
    `target_groups`."""

    @property
    def swaps_groups(self) -> bool:
        """Whether its deployments move its tasks to another target group."""
        return bool(self.alternates) or (self.controller == "CODE_DEPLOY" and bool(self.target_groups))

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
    """A CloudWatch alarm; `settings` is what PutMetricAlarm would take, with `policy:NAME` for the ARN of a policy of
    the service."""

    name: str
    state: str
    reason: str
    settings: Json

    @property
    def of_aws(self) -> bool:
        """Whether AWS made it for a target-tracking policy, and changes it as it likes."""
        return self.name.startswith("TargetTracking-")

    @property
    def policies(self) -> set[str]:
        """The names of the service's scaling policies that it sets off, in whatever state."""
        return {one.removeprefix(POLICY_ARN) for one in self._actions if one.startswith(POLICY_ARN)}

    @property
    def gone(self) -> set[str]:
        """The names of policies that it is to set off and that are not there. One that was made again is another."""
        named = [one.partition(":policyName/")[2] for one in self._actions]
        return {name.partition(":createdBy/")[0] for name in named if name}

    @property
    def _actions(self) -> list[str]:
        return [str(one) for key in ALARM_ACTIONS for one in self.settings.get(key) or ()]


@dataclass(frozen=True)
class ScalingActivity:
    """What a policy of AWS did, or did not."""

    at: datetime
    description: str
    cause: str
    """The alarm and policy behind it."""
    status: str
    """What AWS says beside; often empty."""
    not_scaled: tuple[str, ...]
    """Why it did not scale; empty when it did."""

    def __str__(self) -> str:
        what = f"NOT scaled: {', '.join(self.not_scaled)}" if self.not_scaled else self.description
        return f"{self.at:%H:%M:%S} {what} ({self.cause})" if self.cause else f"{self.at:%H:%M:%S} {what}"


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
    """All of it. What Application Auto Scaling has is in the form in which it takes it."""

    account: str
    region: str
    service: EcsService
    target: Json | None
    """The scalable target: range and what is suspended; None: there is none."""
    policies: Mapping[str, Json]
    """All scaling policies of the service by name, whoever made them."""
    alarms: Mapping[str, Alarm]
    """The alarms by name that set one of the policies off, and those that dbz has made."""
    schedules: Mapping[str, Json]
    """All scheduled actions of the service by name."""
    cache: CacheGroup | None
    target_groups: tuple[TargetGroup, ...] = ()
    """Only where `with_target_groups` has read them."""
    fine_metrics: tuple[str, ...] | None = None
    """The metrics that ECS writes every 20 s; None: not read, or not known here."""
    at: datetime | None = None
    """When it was read."""

    @property
    def pending_end(self) -> Json | None:
        """The scheduled action by which AWS will put a range back, as an earlier change has asked; None: there is none.

        One whose time is over may still be listed.
        """
        action = self.schedules.get(EXPIRY)
        end = time_of(str(action["Schedule"])) if action else None
        return None if end is None or (self.at and end <= self.at) else action

    @property
    def suspended(self) -> tuple[str, ...]:
        """What Application Auto Scaling is told to leave alone: scaling `out`, `in`, and `scheduled` actions."""
        state = (self.target or {}).get("SuspendedState") or {}
        named = (("out", "DynamicScalingOut"), ("in", "DynamicScalingIn"), ("scheduled", "ScheduledScaling"))
        return tuple(name for name, key in named if state.get(f"{key}Suspended"))

    @property
    def idle(self) -> Mapping[str, str]:
        """Why an alarm or a policy does nothing, by its name: its actions are disabled, or one is without the other."""
        set_off: set[str] = set()
        idle: dict[str, str] = {}
        for alarm in self.alarms.values():
            set_off |= alarm.policies
            if not alarm.settings.get("ActionsEnabled", True):
                idle[alarm.name] = "the actions of this alarm are disabled"
            elif not alarm.policies:
                idle[alarm.name] = f"this alarm sets off {self._gone_of(alarm)}"
        waiting = [name for name, policy in self.policies.items() if policy.get("PolicyType") != "PredictiveScaling"]
        return idle | {name: "no alarm sets this policy off" for name in waiting if name not in set_off}

    def _gone_of(self, alarm: Alarm) -> str:
        """What an alarm sets off that is not there, in words."""
        if not alarm.gone:
            return "no policy"
        names = [f"an earlier {one}" if one in self.policies else one for one in sorted(alarm.gone)]
        return f"{', '.join(names)}, which is not there"

    @property
    def pinned(self) -> bool:
        """Whether its range is a single number, as a fixed count with an end leaves it."""
        return self.target is not None and self.target["MinCapacity"] == self.target["MaxCapacity"]

    @property
    def place(self) -> Place:
        """Which service it is, for all machines."""
        return Place(self.account, self.region, self.service.cluster, self.service.name)

    def configured(self) -> dict[str, Any]:
        """What a plan depends on, as JSON: what is configured, not what is momentarily running."""
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
        made: dict[str, Any] = json.loads(json.dumps(document, default=str))
        return made

    def fingerprint(self) -> str:
        """A digest of what is configured."""
        document = self.configured()
        return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]
