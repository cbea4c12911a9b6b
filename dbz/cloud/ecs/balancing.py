"""The targets of load balancers: each task of a service is registered, checked until it is healthy, and drained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from dbz.cloud.ecs.reconciler import Fleet

_WHY = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
    "healthy": (None, None),
}


def install() -> None:
    """Let target groups answer with the health that is written here; moto calls every target healthy."""
    original = FakeTargetGroup.health_for

    def health_for(group: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        state = getattr(group, "health", {}).get(target["Id"])
        if state is None:
            return original(group, target, ec2_backend)
        return FakeHealthStatus(
            target["Id"], target.get("Port", group.port), group.health_check_port, state, *_WHY[state]
        )

    FakeTargetGroup.health_for = health_for  # type: ignore[assignment,method-assign]


class Balancing:
    """Keeps the target groups of one region in step with the tasks. `passing` False fails all health checks."""

    def __init__(self, ecs: Any, elbv2: Any) -> None:
        self.passing = True
        self._ecs, self._elbv2 = ecs, elbv2

    def tick(self, fleets: Mapping[str, Fleet]) -> None:
        """Look at every service that has target groups."""
        for key, service in list(self._ecs.services.items()):
            for balancer in service.load_balancers:
                group = self._elbv2.target_groups.get(self._swap(service, balancer))
                if group is not None and key in fleets:
                    self._update(group, fleets[key], balancer.get("containerPort") or group.port)

    def _swap(self, service: Any, balancer: Any) -> str:
        """The target group that the tasks are in: of two, each deployment moves them to the other one."""
        primary, more = str(balancer.get("targetGroupArn")), balancer.get("advancedConfiguration") or {}
        arns = primary, str(more.get("alternateTargetGroupArn") or primary)
        now = getattr(service, "wanted_revision", 0) % 2
        left = self._elbv2.target_groups.get(arns[1 - now])
        if left is not None and arns[0] != arns[1]:
            left.targets.clear()
        return arns[now]

    def _update(self, group: Any, fleet: Fleet, port: Any) -> None:
        states = {_address(one.number): "draining" for one in fleet.stopping}
        checked = "healthy" if self.passing else "unhealthy"
        for one in fleet.tasks:
            in_use = checked if one.ready else "initial"
            states[_address(one.number)] = in_use if group.load_balancer_arns else "unused"
        group.health = states
        group.targets.clear()
        group.targets.update({address: {"Id": address, "Port": str(port)} for address in states})

    def names(self, service: Any) -> list[tuple[str, str]]:
        """Load balancer and target group of a service, as CloudWatch calls them."""
        found = []
        for balancer in service.load_balancers:
            group = self._elbv2.target_groups.get(balancer.get("targetGroupArn"))
            if group is not None:
                found += [
                    (arn.split(":loadbalancer/")[-1], group.arn.split(":")[-1]) for arn in group.load_balancer_arns
                ]
        return found


def _address(number: int) -> str:
    """A private address for the task of that number."""
    return f"10.0.{number // 250 % 250}.{number % 250 + 2}"
