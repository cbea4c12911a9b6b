"""A local cloud for tests, and services in it."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from dbz.children import Child, free_port, python_module, wait_until
from tests.children.processes import DEADLINE_S

KEYS = ("local", "local")
REGION = "eu-west-1"
CALM = {
    "demand": 0.2, "memory": 0.3, "connections": 0.0, "requests": 0.0, "healthy": True, "failure": "",
    "never_settles": False, "passing": True, "late": 0.0,
}  # fmt: skip


class RunningCloud:
    """A cloud that serves `url`, with clients to look into it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
            )
        return self._clients[service]

    def control(self, **wanted: Any) -> None:
        """Change the load of the tasks, or ask for faults: `faults=[{"action", "kind", "times"}]`."""
        body = json.dumps(wanted).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + "/_dbz/control", data=body), timeout=10).close()

    def fault(self, action: str, kind: str, times: int = 1) -> None:
        self.control(faults=[{"action": action, "kind": kind, "times": times}])

    def new_service(self, tasks: int = 2, *, balanced: bool = False) -> str:
        """The name of a new service that is steady already; `balanced` is behind a target group of its own."""
        name = f"svc-{secrets.token_hex(4)}"
        groups = [self.new_target_group(name)] if balanced else []
        self.client("ecs").create_service(
            cluster="dbz", serviceName=name, desiredCount=tasks, taskDefinition="api",
            loadBalancers=[{"targetGroupArn": arn, "containerName": "api", "containerPort": 80} for arn in groups],
        )  # fmt: skip
        self.until(name, lambda one: one["runningCount"] == tasks)
        return name

    def new_target_group(self, name: str, *, listened: bool = True) -> str:
        """A target group of the furnished load balancer; unless `listened`, no load balancer uses it."""
        elbv2 = self.client("elbv2")
        (balancer,) = elbv2.describe_load_balancers(Names=["dbz"])["LoadBalancers"]
        (group,) = elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=balancer["VpcId"], TargetType="ip"
        )["TargetGroups"]
        if not listened:
            return str(group["TargetGroupArn"])
        action = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        port = 1024 + secrets.randbelow(60_000)
        elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=[action]
        )
        return str(group["TargetGroupArn"])

    def service(self, name: str) -> Any:
        (found,) = self.client("ecs").describe_services(cluster="dbz", services=[name])["services"]
        return found

    def until(self, name: str, holds: Callable[[Any], bool], within_s: float = DEADLINE_S) -> Any:
        """The service as it is once `holds`."""
        end = time.monotonic() + within_s
        while not holds(found := self.service(name)):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    @property
    def env(self) -> dict[str, str]:
        """What a user of this cloud sets."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }  # fmt: skip


@contextmanager
def running_cloud(folder: Path, *arguments: str) -> Iterator[RunningCloud]:
    """A cloud of its own with tasks that start in 0.3 s and metrics every second."""
    port, log = free_port(), folder / "cloud.log"
    command = python_module("dbz.cloud", "--port", str(port), "--start-delay", "0.3", "--period", "1", *arguments)
    with Child("the local cloud", command, log=log, grace_s=60) as cloud:
        url = f"http://127.0.0.1:{port}\n"
        wait_until(lambda: url in log.read_text(), cloud, deadline_s=60, what="the local cloud")
        yield RunningCloud(url.strip())
        cloud.interrupt()
        assert cloud.wait(60) == 0, cloud.log_tail()
    assert "Traceback" not in log.read_text(), log.read_text()
