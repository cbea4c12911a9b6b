"""What load balancers think of a service's tasks.

A service with blue/green deployments has two target groups for each port, and its tasks are in one of them: the primary
or, after every other deployment, the alternate one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dbz.scaling.aws import Aws
from dbz.scaling.change.state import EcsService

_MOST_SHOWN = 3


@dataclass(frozen=True)
class GroupHealth:
    """The targets of a group: how many are healthy, and the addresses of the others by their state and its reason.
    Those that drain are on their way out and do not count."""

    arn: str
    healthy: int
    others: Mapping[str, tuple[str, ...]]
    used: bool = True
    """Whether a load balancer sends anything there; else nobody checks its targets."""

    @property
    def name(self) -> str:
        """Its name alone."""
        return self.arn.rsplit(":", 1)[-1].removeprefix("targetgroup/").split("/")[0]

    @property
    def empty(self) -> bool:
        """Whether it has no targets, but such as drain."""
        return not self.healthy and not self.others

    def __str__(self) -> str:
        if not self.used:
            return f"{self.name}: no load balancer uses it, so its targets are not checked"
        rows = [f"{self.healthy} healthy"]
        for state, addresses in self.others.items():
            more = ", …" if len(addresses) > _MOST_SHOWN else ""
            rows.append(f"{len(addresses)} {state}: {', '.join(addresses[:_MOST_SHOWN])}{more}")
        return f"{self.name}: {'; '.join(rows)}"


def read_health(aws: Aws, service: EcsService) -> list[GroupHealth]:
    """The health of the target groups that the service's tasks are in."""
    return [_of_pair(aws, arn, service.alternates.get(arn, "")) for arn in service.target_groups]


def _of_pair(aws: Aws, arn: str, alternate: str) -> GroupHealth:
    found = _read(aws, arn)
    other = _read(aws, alternate) if alternate and found.empty else found
    return found if other.empty else other


def _read(aws: Aws, arn: str) -> GroupHealth:
    found = aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
    healthy = 0
    others: dict[str, tuple[str, ...]] = {}
    for one in found:
        health, target = one["TargetHealth"], one["Target"]
        if health["State"] == "healthy":
            healthy += 1
        elif health["State"] not in ("draining", "unhealthy.draining"):
            why = health.get("Description") or health.get("Reason") or "no reason given"
            state = f"{health['State']} ({why})"
            others[state] = (*others.get(state, ()), f"{target['Id']}:{target.get('Port', '?')}")
    group = GroupHealth(arn, healthy, others)
    if others and not healthy and all(state.startswith("unused") for state in others):
        # Unused are also targets in a zone that the load balancer lacks: only the group itself says which it is.
        (raw,) = aws.call("elbv2", "describe_target_groups", TargetGroupArns=[arn])["TargetGroups"]
        return replace(group, used=bool(raw.get("LoadBalancerArns")))
    return group
