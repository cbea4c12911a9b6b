"""The handle of one ECS service: what every look at it and every change of it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a list of changes needs no AWS, nor the package for it
    from dbz.scaling.aws import Aws

ECS_DIMENSION = "ecs:service:DesiredCount"
"""What Application Auto Scaling calls the number of tasks of a service."""


@dataclass(frozen=True)
class ServiceHandle:
    """How to reach one ECS service."""

    aws: Aws
    """The account and region."""
    cluster: str
    """The cluster's name; no ARN."""
    name: str
    """The service's name; no ARN."""
    account: str = ""
    """The only account in which it may be found, where an ARN said so; empty: that of the credentials."""

    @property
    def resource_id(self) -> str:
        """What Application Auto Scaling calls it."""
        return f"service/{self.cluster}/{self.name}"

    @property
    def scalable(self) -> dict[str, Any]:
        """The three parameters by which Application Auto Scaling knows its number of tasks."""
        return {"ServiceNamespace": "ecs", "ResourceId": self.resource_id, "ScalableDimension": ECS_DIMENSION}
