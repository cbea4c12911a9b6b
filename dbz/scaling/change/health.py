"""What load balancers think of a service's tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbz.scaling.aws import Aws

_MOST_SHOWN = 3


@dataclass(frozen=True)
class GroupHealth:
    """The targets of a group: how many are healthy, and the addresses of the others by their state and its reason.
    Those that drain are on their way out and do not count."""

    name: str
    healthy: int
    others: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        rows = [f"{self.healthy} healthy"]
        for state, addresses in self.others.items():
            more = ", …" if len(addresses) > _MOST_SHOWN else ""
            rows.append(f"{len(addresses)} {state}: {', '.join(addresses[:_MOST_SHOWN])}{more}")
        return f"{self.name}: {'; '.join(rows)}"


def read_health(aws: Aws, target_groups: Sequence[str]) -> list[GroupHealth]:
    """The health of target groups, by their ARNs."""
    return [_read(aws, arn) for arn in target_groups]


def _read(aws: Aws, arn: str) -> GroupHealth:
    found = aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
    healthy = 0
    others: dict[str, tuple[str, ...]] = {}
    for one in found:
        health, target = one["TargetHealth"], one["Target"]
        if health["State"] == "healthy":
            healthy += 1
        elif health["State"] != "draining":
            why = health.get("Description") or health.get("Reason") or "no reason given"
            state = f"{health['State']} ({why})"
            others[state] = (*others.get(state, ()), f"{target['Id']}:{target.get('Port', '?')}")
    return GroupHealth(arn.rsplit(":", 1)[-1].removeprefix("targetgroup/").split("/")[0], healthy, others)
