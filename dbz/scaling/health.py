"""What load balancers think of a service's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbz.scaling.aws import Aws

_MOST_SHOWN = 3


@dataclass(frozen=True)
class GroupHealth:
    """The targets of a group: how many are healthy, and each other one with its state and the reason. Those that drain
    are on their way out and do not count."""

    name: str
    healthy: int
    others: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.others[:_MOST_SHOWN])
        more = f" and {len(self.others) - _MOST_SHOWN} more" if len(self.others) > _MOST_SHOWN else ""
        return f"{self.name}: {self.healthy} healthy" + (f", {shown}{more}" if shown else "")


def read_health(aws: Aws, target_groups: Sequence[str]) -> list[GroupHealth]:
    """The health of target groups, by their ARNs."""
    return [_read(aws, arn) for arn in target_groups]


def _read(aws: Aws, arn: str) -> GroupHealth:
    found = aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
    healthy, others = 0, []
    for one in found:
        health, target = one["TargetHealth"], one["Target"]
        if health["State"] == "healthy":
            healthy += 1
        elif health["State"] != "draining":
            why = health.get("Description") or health.get("Reason") or "no reason given"
            others.append(f"{target['Id']}:{target.get('Port', '?')} {health['State']} ({why})")
    return GroupHealth(arn.rsplit(":", 1)[-1].removeprefix("targetgroup/").split("/")[0], healthy, tuple(others))
