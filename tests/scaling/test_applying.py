"""Carrying plans out against the local cloud, with everything that goes wrong on the way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbz.config.grammar.target_tracking import parse_target
from dbz.config.phases.file import load_phases
from dbz.config.phases.plan import ApiServers
from dbz.errors import DbzError, DependencyError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan, check_drift, look_back, refuse_late, take_back
from dbz.scaling.change.health import read_health
from dbz.scaling.change.journal import (
    OUTCOMES,
    ChangeJournal,
    entries,
    entries_of,
    find_entry,
    read_entry,
    unfinished,
)
from dbz.scaling.change.live import (
    find_services,
    list_service_names,
    read_fine_metrics,
    read_live,
    read_services,
    read_target,
    with_target_groups,
)
from dbz.scaling.change.planner import Wanted, plan_native, plan_phase, plan_tasks
from dbz.scaling.change.settle import DriftError, NotSettledError
from dbz.scaling.change.state import Place
from dbz.scaling.change.steps import ChangePlan, ChangeStep, Kind
from dbz.scaling.exclusive.lease import LeaseLostError
from dbz.scaling.exclusive.lock import LockRole, present, sole
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.native import with_balancer
from tests.cloud.clouds import KEYS, REGION, RunningCloud

PLAN = load_phases()


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path))


@pytest.fixture
def aws(cloud: RunningCloud) -> Aws:
    return Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)


@pytest.fixture
def hasty_aws(cloud: RunningCloud) -> Aws:
    """Asks again where an answer is a second late."""
    return Aws(region=REGION, endpoint=cloud.url, credentials=KEYS, read_timeout_s=1.0)


@pytest.fixture
def service(cloud: RunningCloud) -> str:
    return cloud.new_service(2)


def tasks(aws: Aws, service: str, count: int, *, fewer: bool = False) -> ChangePlan:
    live = read_live(ServiceHandle(aws, "dbz", service))
    return plan_tasks(live, Wanted(f"{count} tasks", ApiServers(min=count, max=count), fewer))


class Said:
    """What was said meanwhile."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.lines: list[str] = []
        self.manner = Manner(timeout_s, self.lines.append)

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def desired(cloud: RunningCloud, service: str) -> int:
    return int(cloud.service(service)["desiredCount"])


def test_apply_waits_until_it_is_steady_and_rollback_puts_back(cloud: RunningCloud, aws: Aws, service: str) -> None:
    said = Said()
    done = apply_plan(aws, tasks(aws, service, 4), said.manner)
    assert cloud.service(service)["runningCount"] == 4 and "has started 2 tasks" in said
    (entry,) = entries()
    assert (entry.id, entry.outcome, entry.begun, entry.open) == (done, "applied", (0,), False)
    undone = take_back(aws, entry, said.manner)
    assert len(undone.back) == 1 and cloud.service(service)["runningCount"] == 2
    assert read_entry(entry.path).begun == ()
    with pytest.raises(UsageError, match="nothing to roll back"):
        find_entry("", entry.plan.place)


def test_everything_of_an_autoscaled_phase_goes_there_and_back(cloud: RunningCloud, aws: Aws, service: str) -> None:
    before = read_live(ServiceHandle(aws, "dbz", service), "dbz-cache")
    phase = PLAN.phase("phase_3")
    assert phase.api_servers is not None
    plan = plan_phase(before, PLAN, phase, Wanted("phase_3", phase.api_servers))
    apply_plan(aws, plan, Said().manner)
    live = read_live(ServiceHandle(aws, "dbz", service), "dbz-cache")
    assert live.target is not None and set(live.policies) == {"dbz-out", "dbz-in"} and len(live.alarms) == 4
    assert live.cache is not None and live.cache.nodes == 6
    again = plan_phase(live, PLAN, phase, Wanted("phase_3", phase.api_servers))
    assert again.steps == (), "applying it again has nothing to do"
    take_back(aws, entries()[-1], Said().manner)
    assert read_live(ServiceHandle(aws, "dbz", service), "dbz-cache").fingerprint() == before.fingerprint()


def test_target_tracking_goes_there_and_back(cloud: RunningCloud, aws: Aws) -> None:
    service = cloud.new_service(2, balanced=True)
    before = with_target_groups(aws, read_live(ServiceHandle(aws, "dbz", service)))
    sentences = ("CPU at 60%", "memory at 75%", "connections at 60% capacity", "requests at 600/min per task")
    scaling = PLAN.scaling.model_copy(update={"service": service})
    tracking = {"scaling": scaling, "scale_out_when_any": [], "scale_in_when_all": []}
    tracking["target_tracking"] = [parse_target(one) for one in sentences]
    plan = with_balancer(PLAN.model_copy(update=tracking), before)
    servers = ApiServers(min=2, max=4)
    apply_plan(aws, plan_native(before, plan, servers), Said().manner)
    live = read_live(ServiceHandle(aws, "dbz", service))
    assert len(live.policies) == 4 and len(live.alarms) == 8 and all(one.of_aws for one in live.alarms.values())
    assert plan_native(live, plan, servers).steps == (), "applying it again has nothing to do"
    take_back(aws, entries()[-1], Said().manner)
    assert read_live(ServiceHandle(aws, "dbz", service)).fingerprint() == before.fingerprint()


def test_metrics_of_20_seconds_go_there_and_back(cloud: RunningCloud, aws: Aws, service: str) -> None:
    """Switched on by a deployment before the policy that needs them is made; without them AWS refuses it."""
    handle = ServiceHandle(aws, "dbz", service)
    tracking = {"scale_out_when_any": [], "scale_in_when_all": []}
    tracking["target_tracking"] = [parse_target("CPU at 60% every 20 seconds")]
    plan = PLAN.model_copy(update={**tracking, "scaling": PLAN.scaling.model_copy(update={"service": service})})
    live = read_live(handle)
    assert read_fine_metrics(handle) is None
    made = plan_native(live, plan, ApiServers(min=1, max=4))
    refused = replace(made, steps=tuple(step for step in made.steps if step.kind is not Kind.RESOLUTION))
    with pytest.raises(DependencyError, match="not enabled for the service"):
        apply_plan(aws, refused, Said().manner)
    apply_plan(aws, made, Said().manner)
    assert read_fine_metrics(handle) == ["CPUUtilization"]
    with_them = replace(read_live(handle), fine_metrics=("CPUUtilization",))
    assert plan_native(with_them, plan, ApiServers(min=1, max=4)).steps == ()
    take_back(aws, entries()[-1], Said().manner)
    assert read_fine_metrics(handle) is None and read_live(handle).fingerprint() == live.fingerprint()


def test_a_plan_is_refused_when_what_is_there_has_changed(cloud: RunningCloud, aws: Aws, service: str) -> None:
    plan = tasks(aws, service, 4)
    check_drift(aws, [plan])
    cloud.client("ecs").update_service(cluster="dbz", service=service, desiredCount=3)
    with pytest.raises(DriftError, match="planned from 2, now 3"):
        check_drift(aws, [plan])


def test_a_failing_verification_puts_back(cloud: RunningCloud, aws: Aws, service: str) -> None:
    def fail() -> None:
        raise DbzError("the verifying run of 'smoke' broke a budget", code="S030")

    with pytest.raises(DbzError, match="broke a budget") as caught:
        apply_plan(aws, tasks(aws, service, 4), Said().manner, fail)
    assert caught.value.hint == "everything is as it was before"
    assert cloud.service(service)["runningCount"] == 2 and entries()[-1].outcome == "failed"


def test_tasks_that_never_become_healthy(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(healthy=False)
    said: list[str] = []

    def heal_for_the_way_back(line: str) -> None:
        said.append(line)
        if line.startswith("failed: "):
            cloud.control(healthy=True)

    with pytest.raises(NotSettledError, match=r"2 of 4 tasks run|0 of 4 tasks run"):
        apply_plan(aws, tasks(aws, service, 4), Manner(1.0, heal_for_the_way_back))
    assert any(line.startswith("back: ") for line in said)
    assert desired(cloud, service) == 2


def test_it_waits_for_the_load_balancer_to_find_the_tasks_healthy(cloud: RunningCloud, aws: Aws) -> None:
    service = cloud.new_service(2, balanced=True)
    plan = tasks(aws, service, 3)
    cloud.control(passing=False)
    said: list[str] = []

    def pass_when_it_waits(line: str) -> None:
        said.append(line)
        if "3 unhealthy" in line:
            cloud.control(passing=True)

    apply_plan(aws, plan, Manner(60.0, pass_when_it_waits))
    line = next(line for line in said if "3 unhealthy" in line)
    assert line.startswith("waiting for the load balancer: ")
    assert f"{service}: 0 healthy; 3 unhealthy (Health checks failed with these codes: [503]): 10.0.0." in line
    now = read_live(ServiceHandle(aws, "dbz", service)).service
    assert [one.healthy for one in read_health(aws, now)] == [3]


def test_tasks_that_the_load_balancer_never_finds_healthy_are_taken_back(cloud: RunningCloud, aws: Aws) -> None:
    service = cloud.new_service(2, balanced=True)
    plan = tasks(aws, service, 4)

    failed: list[str] = []

    def heal_for_the_way_back(line: str) -> None:
        if line.startswith("failed: "):
            failed.append(line)
            object.__setattr__(manner, "timeout_s", 60.0)
        cloud.control(passing=bool(failed))

    manner = Manner(8.0, heal_for_the_way_back)

    wanted = r"4 of 4 tasks run, 0 are starting, but the load balancer finds too few .*: 0 healthy; 4 unhealthy .*, …"
    with pytest.raises(NotSettledError, match=wanted) as caught:
        apply_plan(aws, plan, manner)
    assert caught.value.hint == "everything is as it was before"
    assert desired(cloud, service) == 2


def test_health_that_may_not_be_looked_at_is_known_before_a_change(cloud: RunningCloud, aws: Aws) -> None:
    service = cloud.new_service(2, balanced=True)
    plan = tasks(aws, service, 4)
    cloud.fault("DescribeTargetHealth", "refuse", times=10)
    with pytest.raises(DependencyError, match="AWS refused elasticloadbalancing:DescribeTargetHealth"):
        apply_plan(aws, plan, Said().manner)
    assert desired(cloud, service) == 2 and entries()[-1].done == ()


def test_a_change_whose_lease_is_lost_is_left_to_the_new_holder(cloud: RunningCloud, aws: Aws, service: str) -> None:
    """Paused in the middle of a plan and taken over meanwhile: no call more, not even to put things back."""
    before = read_live(ServiceHandle(aws, "dbz", service))
    lost: list[bool] = []

    def check() -> None:
        if lost:
            raise LeaseLostError("taken over by another", code="S018")

    def lose_it(line: str) -> None:
        if line.startswith("scaling policy dbz-in"):
            lost.append(True)

    with aws.guarded(check), pytest.raises(LeaseLostError) as caught:
        apply_plan(aws, plan_native(before, PLAN, ApiServers(min=2, max=5)), Manner(60.0, lose_it))
    (entry,) = entries()
    assert caught.value.hint == f"what was done stays: dbz scale status, then dbz scale rollback {entry.id}"
    assert (entry.outcome, entry.begun, entry.done, entry.open) == ("interrupted", (0, 1, 2), (0, 1), True)
    live = read_live(ServiceHandle(aws, "dbz", service))
    assert list(live.policies) == ["dbz-out"] and live.target is not None
    take_back(aws, entry, Said().manner)
    assert read_live(ServiceHandle(aws, "dbz", service)).fingerprint() == before.fingerprint()


def test_a_fixed_count_ends_by_itself_and_can_still_be_rolled_back(cloud: RunningCloud, aws: Aws, service: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=4)
    live = read_live(ServiceHandle(aws, "dbz", service))
    plan = plan_tasks(live, Wanted("4 tasks", ApiServers(min=4, max=4), expires=until))
    apply_plan(aws, plan, Said().manner)
    assert cloud.service(service)["runningCount"] == 4
    cloud.until(service, lambda one: one["runningCount"] == 2)
    assert read_live(ServiceHandle(aws, "dbz", service)).pinned
    undone = take_back(aws, entries()[-1], Said().manner)
    assert undone.left == (), "what the plan itself has put back is nobody else's change"
    assert read_live(ServiceHandle(aws, "dbz", service)).fingerprint() == live.fingerprint()


def test_what_a_way_back_has_left_alone_can_still_be_forced(cloud: RunningCloud, aws: Aws, service: str) -> None:
    """And the look beforehand says what is there now, not what the change had made."""
    handle = ServiceHandle(aws, "dbz", service)
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**handle.scalable, MinCapacity=1, MaxCapacity=4)
    before = read_live(handle)
    wanted = Wanted("3 to 6 tasks", ApiServers(min=3, max=6))
    apply_plan(aws, plan_tasks(before, wanted), Said().manner)
    scaling.register_scalable_target(**handle.scalable, MinCapacity=4, MaxCapacity=6)
    (entry,) = entries()
    seen = look_back(aws, entry.plan, entry.steps)
    now = [(one.step.resource, one.now) for one in seen.left]
    assert now == [(handle.resource_id, read_target(handle)), (service, 4)], "a count of 2 is outside of that range"
    undone = take_back(aws, entry, Said().manner)
    assert len(undone.left) == 2
    ChangeJournal(entry.path).end("rolled back", "left alone")
    again = find_entry("", entry.plan.place)
    assert again.id == entry.id and len(again.left) == 2 and not again.open
    take_back(aws, again, Said().manner, force=True)
    ChangeJournal(entry.path).end("rolled back")
    assert read_live(handle).fingerprint() == before.fingerprint()
    assert read_entry(entry.path).begun == () == read_entry(entry.path).left


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (["begin", "done", "applied"], "was finished"),
        (["begin", "done", "applied", "undo", "undone", "rolled back"], "was taken back"),
        (["begin", "done", "applied", "left", "rolled back"], "was taken back"),
        (["begin", "done", "undo", "undone", "failed"], "was taken back"),
        (["begin", "done", "undo"], "the way back of .* has begun"),
        (["begin", "done", "undo", "interrupted"], "the way back of .* has begun"),
        (["begin", "done", "interrupted"], ""),
        (["begin"], ""),
        ([], ""),
    ],
)
def test_only_what_was_neither_finished_nor_taken_back_is_resumed(events: list[str], message: str) -> None:
    step = ChangeStep(Kind.DESIRED, "api", 2, 4)
    journal = ChangeJournal.begin(ChangePlan("4 tasks", "1", "r", "c", "api", "", "f", (step,)))
    for event in events:
        journal.end(event) if event in OUTCOMES else journal.step(event, 0)
    entry = read_entry(journal.path)
    if message:
        with pytest.raises(UsageError, match=message):
            entry.check_resumable()
    else:
        entry.check_resumable()


def test_a_change_belongs_to_one_account_and_region_only() -> None:
    """Services of one name in two regions, or two accounts: neither takes the other's change back."""
    places = [Place(account, region, "club", "api") for account in ("1", "2") for region in ("eu-west-1", "us-west-2")]
    step = ChangeStep(Kind.DESIRED, "api", 2, 4)
    for place in places[:3]:
        plan = ChangePlan("4 tasks", place.account, place.region, place.cluster, place.service, "", "f", (step,))
        journal = ChangeJournal.begin(plan)
        journal.step("begin", 0)
    for place in places[:3]:
        assert find_entry("", place).plan.place == place and len(unfinished(place)) == len(entries_of(place)) == 1
    elsewhere = (
        r"nothing to roll back for api in club, us-west-2, account 2; there is for api in club, eu-west-1, account 2"
    )
    with pytest.raises(UsageError, match=elsewhere):
        find_entry("", places[3])
    with pytest.raises(UsageError, match="is no change of api in club, us-west-2, account 2"):
        find_entry(entries()[0].id, places[3])


def test_an_error_of_dbz_itself_puts_back_what_was_done(cloud: RunningCloud, aws: Aws, service: str) -> None:
    def crash() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        apply_plan(aws, tasks(aws, service, 4), Said().manner, crash)
    assert desired(cloud, service) == 2
    assert entries()[-1].outcome == "failed" and "ZeroDivisionError" in entries()[-1].why


def test_a_plan_whose_time_is_over_is_refused_before_anything_is_changed(aws: Aws, service: str) -> None:
    until = datetime(2026, 11, 25, 18, tzinfo=UTC)
    plan = plan_tasks(
        read_live(ServiceHandle(aws, "dbz", service)), Wanted("4 tasks", ApiServers(min=4, max=4), expires=until)
    )
    refuse_late(plan, until - timedelta(seconds=1))
    with pytest.raises(UsageError, match="was planned to end at 2026-11-25 18:00:00 UTC, which has passed"):
        refuse_late(plan, until)


def test_tasks_that_fail_are_reported_with_their_reason(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(failure="OutOfMemoryError: container killed")
    with pytest.raises(NotSettledError, match="OutOfMemoryError: container killed"):
        apply_plan(aws, tasks(aws, service, 4), Said(3.0).manner)
    assert desired(cloud, service) == 2


def test_a_deployment_that_never_settles(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(never_settles=True)
    cloud.client("ecs").update_service(cluster="dbz", service=service, forceNewDeployment=True)
    with pytest.raises(NotSettledError, match="a rollout is still going on") as caught:
        apply_plan(aws, tasks(aws, service, 3), Said(1.0).manner)
    assert "taking it back failed too" in caught.value.hint, "the way back cannot settle either, and says so"
    assert desired(cloud, service) == 2


def test_somebody_else_changes_the_count_meanwhile(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(healthy=False)
    plan = tasks(aws, service, 4)

    def meddle() -> None:
        cloud.until(service, lambda one: one["desiredCount"] == 4)
        cloud.client("ecs").update_service(cluster="dbz", service=service, desiredCount=5)

    other = threading.Thread(target=meddle)
    other.start()
    with pytest.raises(DriftError, match=r"somebody set .* to 5 tasks while dbz waited for 4") as caught:
        apply_plan(aws, plan, Said().manner)
    other.join()
    assert "put back, except what somebody else changed: desired count" in caught.value.hint
    assert desired(cloud, service) == 5, "their number is left alone"


def test_a_service_that_is_deleted_meanwhile(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(healthy=False)
    plan = tasks(aws, service, 4)

    def meddle() -> None:
        cloud.until(service, lambda one: one["desiredCount"] == 4)
        cloud.client("ecs").delete_service(cluster="dbz", service=service, force=True)

    other = threading.Thread(target=meddle)
    other.start()
    with pytest.raises(UsageError, match="is inactive: deleted") as caught:
        apply_plan(aws, plan, Said().manner)
    other.join()
    assert "taking it back failed too" in caught.value.hint


@pytest.mark.parametrize(
    ("action", "kind"), [("UpdateService", "throttle"), ("DescribeServices", "fail"), ("UpdateService", "hang")]
)
def test_calls_that_fail_now_and_then_are_made_again(
    cloud: RunningCloud, hasty_aws: Aws, service: str, action: str, kind: str
) -> None:
    plan = tasks(hasty_aws, service, 3)
    cloud.fault(action, kind, times=1)
    apply_plan(hasty_aws, plan, Said().manner)
    assert cloud.service(service)["runningCount"] == 3


def test_a_call_that_took_effect_unheard_does_no_harm(cloud: RunningCloud, hasty_aws: Aws, service: str) -> None:
    plan = tasks(hasty_aws, service, 3)
    cloud.fault("UpdateService", "hang-after")
    apply_plan(hasty_aws, plan, Said().manner)
    assert cloud.service(service)["runningCount"] == 3


def test_a_call_that_always_fails_puts_back_what_was_done(cloud: RunningCloud, aws: Aws, service: str) -> None:
    plan = plan_native(read_live(ServiceHandle(aws, "dbz", service)), PLAN, ApiServers(min=3, max=5))
    cloud.fault("PutScalingPolicy", "refuse", times=100)
    with pytest.raises(DependencyError, match="AWS refused application-autoscaling:PutScalingPolicy") as caught:
        apply_plan(aws, plan, Said().manner)
    assert "docs/scale.md" in caught.value.hint and caught.value.hint.endswith("everything is as it was before")
    live = read_live(ServiceHandle(aws, "dbz", service))
    assert live.target is None


def test_refused_credentials_name_the_permission(cloud: RunningCloud, aws: Aws) -> None:
    cloud.fault("DescribeServices", "refuse")
    with pytest.raises(DependencyError, match="AWS refused ecs:DescribeServices"):
        read_live(ServiceHandle(aws, "dbz", "api"))


def test_no_credentials_and_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DependencyError, match="no AWS credentials were found"):
        read_live(ServiceHandle(Aws(region=REGION, endpoint="http://127.0.0.1:9"), "dbz", "api"))
    with pytest.raises(UsageError, match="no AWS region is set"):
        read_live(ServiceHandle(Aws(credentials=KEYS), "dbz", "api"))


def test_what_does_not_exist_is_named_with_what_does(cloud: RunningCloud, aws: Aws) -> None:
    with pytest.raises(UsageError, match=r"cluster 'shop' does not exist in .* \(there: dbz\)"):
        read_live(ServiceHandle(aws, "shop", "api"))
    with pytest.raises(UsageError, match=r"service 'web' does not exist in cluster 'dbz' \(there: api"):
        read_live(ServiceHandle(aws, "dbz", "web"))
    with pytest.raises(UsageError, match=r"service 'apj' does not exist .* did you mean 'api'\?"):
        read_live(ServiceHandle(aws, "dbz", "apj"))
    with pytest.raises(UsageError, match="the ARN is of account 999999999999, and the credentials are of account 1234"):
        read_live(ServiceHandle(aws, "dbz", "api", "999999999999"))
    with pytest.raises(UsageError, match="cache group 'none'"):
        read_live(ServiceHandle(aws, "dbz", "api"), "none")


def test_more_services_than_a_call_takes(cloud: RunningCloud, aws: Aws) -> None:
    names = [cloud.new_service(0) for _ in range(12)]
    assert [one.name for one in read_services(aws, "dbz", names)] == names


def test_more_services_targets_and_alarms_than_a_page_holds(cloud: RunningCloud, aws: Aws) -> None:
    """In pages as AWS cuts them: the last one must not be missed."""
    ecs, scaling, alarms = (cloud.client(name) for name in ("ecs", "application-autoscaling", "cloudwatch"))
    ecs.create_cluster(clusterName="many")
    names, alarm_names = [f"s{number:02}" for number in range(12)], [f"dbz/many/s00/{number}" for number in range(51)]
    for name in names:
        ecs.create_service(cluster="many", serviceName=name, desiredCount=0, taskDefinition="api")
        where = {"ServiceNamespace": "ecs", "ResourceId": f"service/many/{name}"}
        where["ScalableDimension"] = "ecs:service:DesiredCount"
        scaling.register_scalable_target(**where, MinCapacity=0, MaxCapacity=3)
    settings = {"Namespace": "none", "MetricName": "none", "Statistic": "Average", "Period": 60}
    settings |= {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    for name in alarm_names:
        alarms.put_metric_alarm(AlarmName=name, **settings)
    try:
        assert len(ecs.list_services(cluster="many")["serviceArns"]) == 10
        assert sorted(list_service_names(aws, "many")) == names
        assert [one.name for one in find_services(aws, "many", names)] == names
        pages = {"PageSize": 5}
        found = aws.pages(
            "application-autoscaling", "describe_scalable_targets", "ScalableTargets",
            ServiceNamespace="ecs", PaginationConfig=pages,
        )  # fmt: skip
        ids = [one["ResourceId"] for one in found]
        assert {f"service/many/{name}" for name in names} <= set(ids) and len(ids) == len(set(ids))
        assert read_target(ServiceHandle(aws, "many", "s11")) == {"MinCapacity": 0, "MaxCapacity": 3}
        assert len(alarms.describe_alarms(AlarmNamePrefix="dbz/many/")["MetricAlarms"]) == 50
        assert len(read_live(ServiceHandle(aws, "many", "s00")).alarms) == 51
    finally:
        alarms.delete_alarms(AlarmNames=alarm_names)
        for name in names:
            ecs.delete_service(cluster="many", service=name, force=True)


def test_more_policies_than_a_page_holds(cloud: RunningCloud, aws: Aws, service: str) -> None:
    scaling = cloud.client("application-autoscaling")
    where = {
        "ServiceNamespace": "ecs", "ResourceId": f"service/dbz/{service}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }  # fmt: skip
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=3)
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    for number in range(101):
        scaling.put_scaling_policy(
            PolicyName=f"p{number}", PolicyType="StepScaling", StepScalingPolicyConfiguration=step, **where
        )
    assert len(read_live(ServiceHandle(aws, "dbz", service)).policies) == 101


def test_two_at_once_on_one_service() -> None:
    place = Place("1", "r", "dbz", "api")
    with (
        sole(place, LockRole.CHANGE, "dbz scale: phase_2"),
        pytest.raises(UsageError, match="already by dbz scale: phase_2"),
        sole(place, LockRole.CHANGE, "dbz scale auto"),
    ):
        pass
    assert present(place, LockRole.CHANGE) == ""
    with sole(place, LockRole.CHANGE, "again"), sole(place, LockRole.FOLLOW, "beside it"):
        assert present(place, LockRole.CHANGE).startswith("again (process ")


def test_an_interrupt_leaves_everything_and_says_so(cloud: RunningCloud, aws: Aws, service: str) -> None:
    cloud.control(healthy=False)
    plan = tasks(aws, service, 3)
    with pytest.raises(KeyboardInterrupt):
        apply_plan(aws, plan, Manner(60, lambda _: None, lambda: desired(cloud, service) == 3))
    (entry,) = entries()
    assert entry.open and entry.outcome == "interrupted" and desired(cloud, service) == 3
    cloud.control(healthy=True)
    apply_plan(aws, entry.plan, Said().manner, resumed=entry)
    assert entries()[0].outcome == "applied" and cloud.service(service)["runningCount"] == 3
