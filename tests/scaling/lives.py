"""States of an account, made up for the tests of pure functions."""

from __future__ import annotations

from typing import Any

from dbz.scaling.change.state import CacheGroup, EcsService, Live, ServiceDeployment


def live(desired: int = 2, *, target: tuple[int, int] | None = None, nodes: int | None = None, **more: Any) -> Live:
    """A steady service, with a range and a cache group when they are named."""
    deployment = ServiceDeployment("d", "PRIMARY", "COMPLETED", desired, desired, 0, "")
    arn = "arn:aws:ecs:eu-west-1:123456789012:service/dbz/api"
    service = EcsService("dbz", "api", arn, "ACTIVE", desired, desired, 0, "api:1", (deployment,), ())
    return Live(
        account="123456789012",
        region="eu-west-1",
        service=service,
        target={"MinCapacity": target[0], "MaxCapacity": target[1]} if target else None,
        policies=more.get("policies", {}),
        alarms=more.get("alarms", {}),
        schedules=more.get("schedules", {}),
        cache=CacheGroup("cache", "available", more.get("shards", 1), nodes - 1) if nodes else None,
    )
