"""Several target-tracking policies: out when any asks, in only when all agree, to the largest of their numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def policy(name: str, state: str) -> Any:
    low = SimpleNamespace(
        name=f"low-{name}", comparison_operator="LessThanThreshold", threshold=45.0, state_value=state
    )
    configuration = {"TargetValue": 50.0}
    return SimpleNamespace(resource_id="s", target_tracking_scaling_policy_configuration=configuration, alarms=[low])


@pytest.mark.parametrize(("states", "wanted"), [(("ALARM", "ALARM"), 4), (("ALARM", "OK"), 10)])
def test_in_when_all_agree(states: tuple[str, str], wanted: int) -> None:
    # Here, because every process would pay for it that collects the tests: moto takes a second.
    from dbz.cloud.autoscaling.scaling import ApplicationAutoScaling

    policies = {name: policy(name, state) for name, state in zip("ab", states, strict=True)}
    autoscaler = ApplicationAutoScaling(None, None, SimpleNamespace(policies=policies))
    autoscaler._newest = {"low-a": 10.0, "low-b": 20.0}
    service = SimpleNamespace(desired_count=10, running_count=10)
    assert autoscaler._tracked_in(policies["a"], service) == wanted
