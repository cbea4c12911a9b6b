"""What else acts on a service: what a plan says about it, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.target_tracking import parse_target
from dbz.config.phases.file import load_phases
from dbz.config.phases.plan import ApiServers
from dbz.errors import UsageError
from dbz.report.terminal.scale.words import step_texts
from dbz.scaling.change.comparing import differences
from dbz.scaling.change.names import EXPIRY
from dbz.scaling.change.planner import Wanted, plan_native, plan_phase, plan_tasks
from dbz.scaling.change.state import Alarm, Live, TargetGroup
from dbz.scaling.change.steps import ChangePlan
from tests.scaling.lives import live

PLAN = load_phases()
SERVERS = ApiServers(min=2, max=10)
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}


def tracking(name: str, **settings: Any) -> dict[str, Any]:
    configuration = {"TargetValue": 60.0, **(settings or CPU)}
    return {
        "PolicyName": name, "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }  # fmt: skip


def planned(now: Live) -> ChangePlan:
    return plan_phase(now, PLAN, PLAN.phase("phase_3"), Wanted("phase_3", SERVERS))


def suspended(now: Live, *which: str) -> Live:
    return replace(now, target={**(now.target or {}), "SuspendedState": {f"{one}Suspended": True for one in which}})


def all_kinds(now: Live) -> list[ChangePlan]:
    """The plans of `plan`, `set` and `auto --emit`."""
    return [planned(now), plan_tasks(now, Wanted("3", ApiServers(min=3, max=3), True)), plan_native(now, PLAN, SERVERS)]


def test_a_plan_for_an_account_of_its_own_says_only_what_aws_cannot_do() -> None:
    assert [note.split()[0] for note in planned(live(2)).notes] == ["AWS", "AWS"]
    assert plan_tasks(live(2), Wanted("3", ApiServers(min=3, max=3))).notes == ()


def test_what_is_suspended_is_said_in_every_plan() -> None:
    now = suspended(live(2, target=(1, 3)), "DynamicScalingOut", "ScheduledScaling")
    for plan in all_kinds(now):
        assert plan.notes[0].startswith("suspended on AWS: scaling out, scheduled actions of api")
    until = datetime(2026, 12, 1, tzinfo=UTC)
    ending = plan_tasks(now, Wanted("3", ApiServers(min=3, max=3), expires=until))
    assert "the range would NOT be put back by itself" in ending.notes[1]


def test_policies_and_alarms_of_somebody_else_are_named() -> None:
    alarms = {"p95": Alarm("p95", "OK", "", {"AlarmActions": ["policy:emergency"]})}
    step = {"PolicyName": "emergency", "PolicyType": "StepScaling"}
    for plan in all_kinds(live(2, target=(1, 3), policies={"emergency": step}, alarms=alarms)):
        assert any("emergency of somebody else scales api too, set off by p95" in note for note in plan.notes)


GONE = "arn:aws:autoscaling:r:1:scalingPolicy:x:resource/ecs/service/dbz/api:policyName/"


def alarm_for(*policies: str, enabled: bool = True, on: str = "AlarmActions") -> Alarm:
    return Alarm("p95", "OK", "", {on: ["arn:aws:sns:r:1:pager", *policies], "ActionsEnabled": enabled})


@pytest.mark.parametrize(
    ("alarm", "idle"),
    [
        (alarm_for("policy:fast"), {}),
        (alarm_for("policy:fast", on="OKActions"), {}),
        (alarm_for("policy:fast", f"{GONE}slow"), {}),
        (alarm_for("policy:fast", enabled=False), {"p95": "the actions of this alarm are disabled"}),
        (
            alarm_for(f"{GONE}gone:createdBy/0f1e"),
            {"p95": "this alarm sets off gone, which is not there", "fast": "no alarm sets this policy off"},
        ),
        (
            alarm_for(f"{GONE}fast"),
            {"p95": "this alarm sets off an earlier fast, which is not there", "fast": "no alarm sets this policy off"},
        ),
        (alarm_for(), {"p95": "this alarm sets off no policy", "fast": "no alarm sets this policy off"}),
    ],
)
def test_alarms_and_policies_that_do_nothing_are_named_in_every_plan(alarm: Alarm, idle: dict[str, str]) -> None:
    now = live(2, target=(1, 3), policies={"fast": {"PolicyType": "StepScaling"}}, alarms={"p95": alarm})
    assert now.idle == idle
    for plan in all_kinds(now):
        for name, why in idle.items():
            assert f"{name} does nothing now: {why}" in plan.notes


def test_what_the_plan_mends_itself_is_no_note() -> None:
    """An alarm of dbz whose actions somebody disabled is set again, and the steps show what of it changes."""
    wanted = {step.resource: step.after for step in plan_native(live(2), PLAN, SERVERS).steps}
    names = [name for name in wanted if name.startswith("dbz/dbz/api/")]
    alarms = {name: Alarm(name, "OK", "", {**wanted[name], "ActionsEnabled": False}) for name in names}
    policies = {name: value for name, value in wanted.items() if name in ("dbz-out", "dbz-in")}
    plan = plan_native(live(2, target=(2, 10), policies=policies, alarms=alarms), PLAN, SERVERS)
    assert names and not any("does nothing" in note for note in plan.notes)
    (before, after), *_ = [step_texts(step) for step in plan.steps if step.resource in names]
    assert before.endswith(", ActionsEnabled False") and after.endswith(", ActionsEnabled True")


def test_a_predictive_policy_needs_no_alarm() -> None:
    assert live(2, target=(1, 3), policies={"ahead": {"PolicyType": "PredictiveScaling"}}).idle == {}


@pytest.mark.parametrize(("low", "high", "said"), [(1, 4, True), (2, 10, False), (None, 10, False), (2, 20, True)])
def test_scheduled_actions_that_undo_the_range_are_named(low: int | None, high: int, said: bool) -> None:
    action = {"MinCapacity": low, "MaxCapacity": high} if low else {"MaxCapacity": high}
    night = {"Schedule": "cron(0 1 * * ? *)", "Timezone": "Europe/Berlin", "ScalableTargetAction": action}
    notes = planned(live(2, target=(1, 3), schedules={"night": night})).notes
    assert (
        any("night (cron(0 1 * * ? *) Europe/Berlin) sets" in one and "undoes 2 to 10" in one for one in notes) == said
    )


def test_a_daemon_is_refused_and_other_controllers_are_said() -> None:
    now = live(2)
    daemon = replace(now, service=replace(now.service, scheduling="DAEMON"))
    for make in (
        planned,
        lambda one: plan_tasks(one, Wanted("3", SERVERS)),
        lambda one: plan_native(one, PLAN, SERVERS),
    ):
        with pytest.raises(UsageError, match="api is a DAEMON service"):
            make(daemon)
    blue = replace(now, service=replace(now.service, controller="CODE_DEPLOY", breaker="rolls back"))
    notes = planned(blue).notes
    assert any(one.startswith("CodeDeploy deploys api (CODE_DEPLOY)") for one in notes)
    assert any("circuit breaker rolls back" in one for one in notes)


def test_a_metric_that_is_tracked_already_is_refused_as_aws_would() -> None:
    update = {"target_tracking": [parse_target("CPU at 60%")], "scale_in_when_all": [], "scale_out_when_any": []}
    plan = PLAN.model_copy(update=update)
    with pytest.raises(
        UsageError, match="cpu60 tracks ECSServiceAverageCPUUtilization already: dbz-track-cpu would be"
    ):
        plan_native(live(2, policies={"cpu60": tracking("cpu60")}), plan, SERVERS)
    memory = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}}
    plan_native(live(2, policies={"memory": tracking("memory", **memory)}), plan, SERVERS)
    plan_native(live(2, policies={"dbz-track-cpu": tracking("dbz-track-cpu")}), plan, SERVERS)


def test_failures_of_a_shared_load_balancer_are_said_to_be_everybodys() -> None:
    from dbz.config.grammar.conditions import parse_condition

    plan = PLAN.model_copy(update={"scale_out_when_any": [parse_condition("Error rate > 5%")]})
    scaling = plan.scaling.model_copy(update={"load_balancer": "app/a/1", "target_group": "targetgroup/t/2"})
    plan = plan.model_copy(update={"scaling": scaling})
    for shared in (True, False):
        group = TargetGroup("arn", "targetgroup/t/2", "app/a/1", "host", shared)
        notes = plan_native(replace(live(2), target_groups=(group,)), plan, SERVERS).notes
        assert any("app/a/1 serves other target groups too" in one for one in notes) == shared


JSON = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), st.text("ab", max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_differences_are_there_exactly_when_something_differs(before: Any, now: Any) -> None:
    assert differences(before, before) == []
    found = differences(before, now)
    assert all(" → " in one for one in found)
    if not (isinstance(before, dict) and isinstance(now, dict)):
        assert bool(found) == (before != now)


def test_drift_names_the_resource_and_the_field() -> None:
    before = live(2, target=(1, 3), policies={"p": {"StepScaling": {"Cooldown": 60}}})
    now = live(3, target=(1, 5), policies={"p": {"StepScaling": {"Cooldown": 90}}})
    assert differences(before.configured(), now.configured()) == [
        "desired: 2 → 3", "target.MaxCapacity: 3 → 5", "policies.p.StepScaling.Cooldown: 60 → 90",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"MinCapacity": 0, "MaxCapacity": 0}, "sets 0 to 0 tasks, which undoes 2 to 10"),
        ({"MinCapacity": 0}, "sets a minimum of 0 tasks, which undoes 2 to 10"),
        ({"MaxCapacity": 4}, "sets a maximum of 4 tasks, which undoes 2 to 10"),
        ({"MinCapacity": 2, "MaxCapacity": 10}, ""),
        ({"MaxCapacity": 10}, ""),
    ],
)
def test_a_scheduled_action_says_what_it_sets_also_nothing_at_night(action: dict[str, int], said: str) -> None:
    night = {"Schedule": "cron(0 20 * * ? *)", "ScalableTargetAction": action}
    plan = plan_native(live(2, target=(2, 10), schedules={"night": night}), PLAN, ApiServers(min=2, max=10))
    notes = [note for note in plan.notes if "night" in note]
    assert notes == ([f"the scheduled action night (cron(0 20 * * ? *)) {said}"] if said else [])


def ending(schedule: str = "at(2026-12-01T20:00:00)") -> dict[str, Any]:
    return {"Schedule": schedule, "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 3}}


def test_the_end_of_an_earlier_change_is_said_in_every_plan_or_moved() -> None:
    """It undoes what a later plan sets. A second end puts back what the first one would have."""
    until = datetime(2026, 12, 1, 22, tzinfo=UTC)
    now = replace(live(4, target=(4, 8), schedules={EXPIRY: ending()}), at=until - timedelta(hours=4))
    said = "an earlier change ends at 2026-12-01 20:00:00 UTC: then AWS sets 1 to 3 tasks, whatever this one has set"
    for plan in all_kinds(now):
        assert any(note.startswith(said) for note in plan.notes)
    moved = plan_tasks(now, Wanted("more", ApiServers(min=5, max=9), expires=until))
    (step,) = [one for one in moved.steps if one.resource == EXPIRY]
    assert step.after["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 3} and moved.notes == ()


def test_an_end_whose_time_is_over_ends_nothing() -> None:
    until = datetime(2026, 12, 2, tzinfo=UTC)
    over = replace(live(4, target=(4, 8), schedules={EXPIRY: ending()}), at=datetime(2026, 12, 1, 20, tzinfo=UTC))
    for plan in all_kinds(over):
        assert not any("an earlier change" in note for note in plan.notes)
    by_hand = replace(live(4, target=(4, 8), schedules={EXPIRY: ending("cron(0 20 * * ? *)")}), at=over.at)
    for plan in all_kinds(by_hand):
        assert any("dbz-expires (cron(0 20 * * ? *)) sets 1 to 3 tasks" in note for note in plan.notes)
    made = plan_tasks(over, Wanted("more", ApiServers(min=5, max=9), expires=until))
    assert made.steps[1].after["ScalableTargetAction"] == {"MinCapacity": 4, "MaxCapacity": 8}
