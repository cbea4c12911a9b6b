"""An afternoon of an account that dbz did not make: 14 services, two regions, what others have set up, late metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import Phases
from dbz.config.source.source import parse_yaml
from dbz.errors import UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan, take_back
from dbz.scaling.change.journal import entries, find_entry
from dbz.scaling.change.live import place_of, read_activities, read_live, read_service, with_target_groups
from dbz.scaling.change.planner import Wanted, plan_native, plan_phase, plan_tasks
from dbz.scaling.change.state import Live
from dbz.scaling.decide.daemon import Autoscaler, Evaluation
from dbz.scaling.decide.sources import CloudWatchSource
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.native import with_balancer
from tests.cloud.clouds import KEYS, REGION, RunningCloud, running_cloud

OTHER_REGION = "us-west-2"
LATE_S = 3.0
PLAN = """
schema: dbz.phases/1
phases:
  - {name: season, users: 2500, connections: 1000, requests: 10000/min, api_servers: {min: 2, max: 6}}
scale_out_when_any: ["CPU > 70% for 4 seconds"]
scale_in_when_all: ["CPU < 30% for 6 seconds", "Error rate < 1% for 6 seconds"]
scaling: {cluster: club, service: api, autoscaler: dbz, period: 2s, cooldown_out: 2s, cooldown_in: 2s, data_age: 20s}
"""
MANNER = Manner(30.0, lambda _: None)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """The account, as other people have left it."""
    options = ("--cluster", "club", "--service", "api", "--load-balancer", "club")
    with running_cloud(tmp_path_factory.mktemp("account"), *options) as cloud:
        ecs = cloud.client("ecs")
        more: dict[str, dict[str, Any]] = {
            "score": {}, "worker": {}, "web": {}, "agent": {"schedulingStrategy": "DAEMON"},
            "chat": {"deploymentController": {"type": "CODE_DEPLOY"}}, **{f"svc-{number}": {} for number in range(8)},
        }  # fmt: skip
        for name, settings in more.items():
            ecs.create_service(cluster="club", serviceName=name, desiredCount=1, taskDefinition="api", **settings)
        _others(cloud)
        west = boto3.client("ecs", endpoint_url=cloud.url, region_name=OTHER_REGION, aws_access_key_id="x",
                            aws_secret_access_key="x")  # fmt: skip
        west.create_cluster(clusterName="club")
        west.register_task_definition(family="api", containerDefinitions=[{"name": "api", "image": "x", "memory": 64}])
        west.create_service(cluster="club", serviceName="api", taskDefinition="api", desiredCount=4)
        yield cloud


def _others(cloud: RunningCloud) -> None:
    """What the platform team has: a policy, a nightly schedule, scaling that a deployment tool has suspended."""
    scaling = cloud.client("application-autoscaling")

    def target(name: str, **more: Any) -> dict[str, Any]:
        known = {"ServiceNamespace": "ecs", "ResourceId": f"service/club/{name}",
                 "ScalableDimension": "ecs:service:DesiredCount"}  # fmt: skip
        scaling.register_scalable_target(**known, MinCapacity=1, MaxCapacity=8, **more)
        return known

    web = target("web")
    cpu = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    tracking = {"TargetValue": 60.0, "PredefinedMetricSpecification": cpu}
    scaling.put_scaling_policy(
        **web, PolicyName="cpu60", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking
    )
    scaling.put_scheduled_action(
        **web, ScheduledActionName="night", Schedule="cron(0 1 * * ? *)", Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )  # fmt: skip
    state = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True, "ScheduledScalingSuspended": True}
    target("score", SuspendedState=state)


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))


def plan_for(service: str, **scaling: Any) -> Phases:
    plan = build_phases(parse_yaml(PLAN, "plan.yaml"))
    return plan.model_copy(update={"scaling": plan.scaling.model_copy(update={"service": service, **scaling})})


def handle_of(cloud: RunningCloud, service: str, region: str = REGION) -> ServiceHandle:
    return ServiceHandle(Aws(region=region, endpoint=cloud.url, credentials=KEYS), "club", service)


def looked_at(cloud: RunningCloud, service: str) -> Live:
    handle = handle_of(cloud, service)
    return with_target_groups(handle.aws, read_live(handle))


def counts(cloud: RunningCloud) -> dict[str, int]:
    """The desired count of every service in both regions."""
    found = {}
    for region in (REGION, OTHER_REGION):
        aws = handle_of(cloud, "api", region).aws
        names = [arn.rsplit("/", 1)[-1] for arn in aws.pages("ecs", "list_services", "serviceArns", cluster="club")]
        for name in names:
            found[f"{region} {name}"] = read_service(ServiceHandle(aws, "club", name)).desired
    return found


@pytest.mark.parametrize(
    ("service", "said"),
    [("web", ["night (cron(0 1 * * ? *) Europe/Berlin) sets 1 to 2", "cpu60 of somebody else scales web too"]),
     ("score", ["suspended on AWS: scaling out, scaling in, scheduled actions"]),
     ("chat", ["CodeDeploy deploys chat"]), ("worker", [])],
)  # fmt: skip
def test_a_plan_says_what_else_acts_on_a_service(account: RunningCloud, service: str, said: list[str]) -> None:
    plan = plan_for(service, autoscaler="native")
    phase = plan.phase("season")
    assert phase.api_servers is not None
    live = looked_at(account, service)
    conditions = plan.model_copy(update={"scale_in_when_all": plan.scale_in_when_all[:1]})
    notes = plan_phase(live, conditions, phase, Wanted("season", phase.api_servers)).notes
    for text in said:
        assert any(text in note for note in notes), notes
    others = [note for note in notes if "a rollout of" not in note]  # the account is a moment old
    assert len(others) == len(said) + 2, "and what AWS cannot do"


def test_a_daemon_takes_no_number(account: RunningCloud) -> None:
    with pytest.raises(UsageError, match="agent is a DAEMON service"):
        plan_tasks(looked_at(account, "agent"), Wanted("3", plan_for("agent").scaling.bounds))


def follow(auto: Autoscaler, seconds: float, done: Callable[[float], bool]) -> list[Evaluation]:
    """What the daemon does until it is `done`, which is told for how many seconds, or for so long; looking once a
    period as it would."""
    begun, seen = time.monotonic(), []
    while (for_s := time.monotonic() - begun) < seconds and not done(for_s):
        seen.append(auto.evaluate())
        time.sleep(min(1.0, max(0.0, auto.next_s())))
    return seen


def test_an_afternoon(account: RunningCloud) -> None:
    """Busy, then quiet, with metrics that come three periods late: out, in, and nothing else is touched."""
    before = counts(account)
    account.control(late=LATE_S, demand=0.5, requests=50.0)
    handle = handle_of(account, "api")
    plan = with_balancer(plan_for("api"), looked_at(account, "api"))
    servers = plan.phase("season").api_servers
    assert servers is not None and plan.scaling.load_balancer
    source = CloudWatchSource(handle.aws, plan.scaling, (*plan.scale_out_when_any, *plan.scale_in_when_all))
    auto = Autoscaler(handle, plan, servers, source)
    account.control(demand=1000.0)
    busy = follow(auto, 30, lambda for_s: for_s > 12 and read_service(handle).desired > 2)
    peak = read_service(handle).desired
    assert peak > 2, [one.decision for one in busy]
    settled = busy[len(busy) // 2 :]  # what was there before metrics came late was on time
    late_s = [one.at_s - row.at_s for one in settled for row in one.standings[:1] if row.at_s is not None]
    assert min(late_s) >= LATE_S - 1.5, "it decided on what had come"
    account.control(demand=0.5)
    quiet = follow(auto, 30, lambda _: read_service(handle).desired < peak)
    assert read_service(handle).desired < peak, [one.decision for one in quiet]
    after = counts(account)
    own = (f"{REGION} api", f"{REGION} web")  # web has a policy of the platform team's
    assert {name: one for name, one in after.items() if name not in own} == {
        name: one for name, one in before.items() if name not in own
    }
    assert {entry.plan.place for entry in entries()} == {place_of(handle)}
    with pytest.raises(UsageError, match=f"nothing to roll back for api in club, {OTHER_REGION}"):
        find_entry("", place_of(handle_of(account, "api", OTHER_REGION)))
    account.control(late=0.0, demand=0.2)


def test_why_did_it_not_scale(account: RunningCloud) -> None:
    """AWS's own words for an alarm that lasts at the maximum."""
    handle, plan = handle_of(account, "worker"), plan_for("worker", autoscaler="native")
    plan = plan.model_copy(update={"scale_in_when_all": []})
    bounds = plan.scaling.bounds.model_copy(update={"min": 1, "max": 2})
    apply_plan(handle.aws, plan_native(read_live(handle), plan, bounds), MANNER)
    account.control(demand=1000.0)
    end = time.monotonic() + 30
    while not any(one.not_scaled for one in read_activities(handle)) and time.monotonic() < end:
        time.sleep(0.3)
    newest = read_activities(handle)
    assert newest[0].not_scaled == ("the maximum of its range is reached",)
    assert "NOT scaled: the maximum of its range is reached" in str(newest[0]) and "dbz-out" in newest[0].cause
    assert any(not one.not_scaled and one.description.endswith("to 2.") for one in newest)
    assert newest[0].at <= datetime.now(UTC)
    account.control(demand=0.2)
    take_back(handle.aws, entries()[-1], MANNER, force=True)
