"""Phases of several services brought about over a bad way, beside a twin of theirs that meets no trouble.

What is there after a change that was resumed, or taken back, must be what the twin has: its count, range, policies and
alarms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.scaling import Facts, ScaleChaos, facts_of
from tests.cli.running import dbz
from tests.cloud.clouds import RunningCloud

PLAN = """\
schema: dbz.phases/1
phases:
  - {{name: small, users: 9, connections: 1, requests: 1/s, api_servers: 1, services: {{{worker}: 2}}}}
  - {{name: range, users: 9, connections: 1, requests: 1/s, api_servers: {{min: 2, max: 4}},
     services: {{{worker}: {{min: 1, max: 3}}}}}}
  - {{name: wide, users: 9, connections: 1, requests: 1/s, api_servers: {{min: 3, max: 6}}, services: {{{worker}: 3}}}}
scale_out_when_any: ["CPU > 70% for 5 minutes", "Memory > 80% for 5 minutes"]
scale_in_when_all: ["CPU < 30% for 60 minutes"]
scaling: {{service: {api}, bounds: {{min: 1, max: 9}}}}
"""
PHASES = ("small", "range", "wide")


@dataclass(frozen=True)
class Standing:
    """What is there of a service, without its name."""

    facts: Facts
    policies: tuple[str, ...]
    alarms: tuple[str, ...]
    """Each with its limit, and with the policies of the service that it sets off."""


class PhaseChaos(ScaleChaos):
    """Two services of one plan, a twin of each, and the folder of their dbz."""

    moments = 24

    def __init__(self, cloud: RunningCloud, folder: Path, seed: int) -> None:
        super().__init__(cloud, folder, seed)
        self._twin_folder = folder / "twin"
        self._twin_folder.mkdir()
        self._phase = ""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Two services and their twins, to which nothing was done yet."""
        self._service, self._worker, self._twin, self._twins_worker = (self._cloud.new_service(2) for _ in range(4))
        (self._folder / "plan.yaml").write_text(PLAN.format(api=self._service, worker=self._worker))
        (self._twin_folder / "plan.yaml").write_text(PLAN.format(api=self._twin, worker=self._twins_worker))
        self._phase = ""

    def facts(self) -> tuple[Standing, ...]:
        """Of both services."""
        return tuple(standing_of(self._cloud, one) for one in (self._service, self._worker))

    def twins(self) -> tuple[Standing, ...]:
        """Of both twins."""
        return tuple(standing_of(self._cloud, one) for one in (self._twin, self._twins_worker))

    def change(self, before: Any) -> tuple[list[str], Any]:
        """Another phase, which the twins reach at once; they first follow to where the services are."""
        if self.twins() != before:
            self._by_twins("rollback", "--yes", "--service", self._twin)
        assert self.twins() == before, "a way back without trouble did not lead back"
        self._phase = self._random.choice([one for one in PHASES if one != self._phase])
        words = ["apply", self._phase, "--phases", "plan.yaml", "--allow-scale-in"]
        self._by_twins(*words, "--yes", "--timeout", "20s")
        return words, self.twins()

    def _by_twins(self, *words: str) -> None:
        state = {"DBZ_STATE_DIR": str(self._twin_folder / "state")}
        done = dbz("scale", *words, cwd=self._twin_folder, **self._cloud.env, **state)
        assert done.returncode == 0, done.stdout + done.stderr


def standing_of(cloud: RunningCloud, service: str) -> Standing:
    """What is there of a service, once it is steady."""
    policies = cloud.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=f"service/dbz/{service}"
    )["ScalingPolicies"]
    names = {one["PolicyARN"]: one["PolicyName"].replace(service, "SERVICE") for one in policies}
    pages = cloud.client("cloudwatch").get_paginator("describe_alarms").paginate()
    alarms = []
    for alarm in (one for page in pages for one in page["MetricAlarms"] if re.search(rf"\b{service}\b", str(one))):
        does = sorted(names.get(arn, "a policy that is not there") for arn in alarm["AlarmActions"])
        alarms.append(f"{alarm['AlarmName'].replace(service, 'SERVICE')} {alarm['Threshold']} {does}")
    shapes = [f"{names[one['PolicyARN']]} {one.get('StepScalingPolicyConfiguration', '')}" for one in policies]
    return Standing(facts_of(cloud, service), tuple(sorted(shapes)), tuple(sorted(alarms)))
