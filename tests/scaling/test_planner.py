"""The planner: what a phase means for what runs now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.phases.file import build_phases, load_phases
from dbz.config.phases.plan import ApiServers, Database, Phases, Prices
from dbz.config.source.source import parse_yaml
from dbz.errors import UsageError
from dbz.scaling.change.comparing import covers
from dbz.scaling.change.planner import Wanted, plan_phase, plan_service, plan_tasks
from dbz.scaling.change.state import Alarm, Live, TargetGroup
from dbz.scaling.change.steps import ChangePlan, Cost, Kind, plan_of
from dbz.scaling.entries.standing import EntryKey, there
from dbz.scaling.native import alarms_for, policies_for
from tests.scaling.lives import live

PLAN = load_phases()


def planned(now: Live, name: str, plan: Phases = PLAN, **wanted: object) -> ChangePlan:
    phase = plan.phase(name)
    assert phase.api_servers is not None
    return plan_phase(now, plan, phase, Wanted(name, phase.api_servers, **wanted))  # type: ignore[arg-type]


def kinds(plan: ChangePlan) -> list[tuple[Kind, object, object]]:
    return [(step.kind, step.before, step.after) for step in plan.steps]


def with_autoscaling(now: Live) -> Live:
    """As it is once phase_3's policies and alarms are there."""
    alarms = {name: Alarm(name, "OK", "", one) for name, one in alarms_for(PLAN, "dbz/dbz/api/").items()}
    return replace(now, policies=policies_for(PLAN), alarms=alarms)


def test_a_fixed_phase_without_autoscaler_is_one_count() -> None:
    assert kinds(planned(live(2), "phase_2")) == [(Kind.DESIRED, 2, 4)]


def test_what_is_so_already_needs_nothing() -> None:
    assert planned(live(4), "phase_2").steps == ()
    assert planned(with_autoscaling(live(2, target=(2, 10))), "phase_3").steps == ()


def test_an_autoscaled_phase_is_a_range_two_policies_and_an_alarm_a_sentence() -> None:
    steps = planned(live(2), "phase_3").steps
    assert [step.kind for step in steps] == [Kind.TARGET, Kind.POLICY, Kind.POLICY, *[Kind.ALARM] * 4]
    assert steps[0].after == {"MinCapacity": 2, "MaxCapacity": 10}
    assert "out CPU > 70% for 5 minutes" in steps[3].resource


def test_the_count_within_the_range_is_left_to_the_autoscaler() -> None:
    assert Kind.DESIRED not in [step.kind for step in planned(live(7, target=(1, 8)), "phase_3").steps]
    assert (Kind.DESIRED, 1, 2) in kinds(planned(live(1), "phase_3"))


def test_back_from_autoscaling_the_range_is_pinned_and_what_dbz_made_is_taken_away() -> None:
    steps = planned(with_autoscaling(live(4, target=(2, 10))), "phase_2").steps
    assert steps[0].after == {"MinCapacity": 4, "MaxCapacity": 4}
    assert [(step.kind, step.after) for step in steps[1:]] == [*[(Kind.ALARM, None)] * 4, *[(Kind.POLICY, None)] * 2]


def test_with_dbz_as_the_autoscaler_there_are_no_policies() -> None:
    own = PLAN.model_copy(update={"scaling": PLAN.scaling.model_copy(update={"autoscaler": "dbz"})})
    assert [step.kind for step in planned(live(2), "phase_3", own).steps] == [Kind.TARGET]


def test_fewer_tasks_than_now_only_when_allowed() -> None:
    with pytest.raises(UsageError, match="phase_1 would take api from 6 to 2 tasks") as caught:
        planned(live(6), "phase_1")
    assert "--allow-scale-in" in caught.value.hint
    assert kinds(planned(live(6), "phase_1", allow_scale_in=True)) == [(Kind.DESIRED, 6, 2)]


def test_the_cache_grows_first_and_shrinks_last() -> None:
    assert [step.kind for step in planned(live(2, nodes=2), "phase_2").steps] == [Kind.REPLICAS, Kind.DESIRED]
    back = planned(live(6, nodes=4), "phase_1", allow_scale_in=True)
    assert [step.kind for step in back.steps] == [Kind.DESIRED, Kind.REPLICAS]
    with pytest.raises(UsageError, match="the cache cache from 4 to 2 nodes"):
        planned(live(2, nodes=4), "phase_1")


def test_nodes_that_the_shards_do_not_divide_are_a_manual_step() -> None:
    plan = planned(live(4, nodes=3, shards=3), "phase_2")
    assert plan.steps == () and "reshard first" in plan.manual[0].instruction


def manual(now: Live, name: str, plan: Phases = PLAN) -> dict[str, str]:
    return {one.resource: one.instruction for one in planned(now, name, plan, allow_scale_in=True).manual}


def test_manual_steps_name_the_exact_command_and_where_to_find_what_is_not_known() -> None:
    steps = manual(live(2), "phase_2")
    assert "atlas clusters update CLUSTER --tier M30 (CLUSTER: atlas clusters list; or" in steps["database"]
    assert "--origin-domain-name HOST (HOST: aws elbv2 describe-load-balancers" in steps["CDN"]
    assert "(aws elasticache describe-replication-groups" in steps["cache"]
    assert (
        "--name dbz-api --subnets SUBNETS (SUBNETS, two or more: aws ec2" in manual(live(2), "phase_1")["load balancer"]
    )
    more = manual(live(2), "phase_3")
    assert more["search"].startswith("Elasticsearch: aws opensearch create-domain --domain-name dbz-api")
    assert more["queue"] == "SNS: aws sns create-topic --name dbz-api"


def test_manual_steps_are_filled_in_with_what_runs_and_with_the_plan() -> None:
    group = TargetGroup("arn", "targetgroup/t/2", "app/shop/1", "shop-1.eu-west-1.elb.amazonaws.com")
    service = replace(
        live(2).service, target_groups=("arn",), subnets=("subnet-1", "subnet-2"), security_groups=("sg-1",)
    )
    behind = replace(live(2), service=service, target_groups=(group,))
    lookups = {EntryKey("load balancer", "ALB"): there("api is behind app/shop/1")}
    phase = PLAN.phase("phase_1")
    looked = plan_phase(behind, PLAN, phase, Wanted("phase_1", ApiServers(min=2, max=2)), lookups)
    assert [(one.resource, one.text) for one in looked.present] == [("load balancer", "ALB: api is behind app/shop/1")]
    assert "load balancer" not in [one.resource for one in looked.manual]
    assert "--origin-domain-name shop-1.eu-west-1.elb.amazonaws.com" in manual(behind, "phase_2")["CDN"]
    bare = replace(live(2), service=replace(service, target_groups=()))
    assert "--subnets subnet-1 subnet-2 --security-groups sg-1" in manual(bare, "phase_1")["load balancer"]
    named = PLAN.phase("phase_2").model_copy(
        update={"database": Database(service="MongoDB Atlas", tier="M30", topology="x", cluster="club-prod")}
    )
    plan = PLAN.model_copy(update={"phases": [named]})
    assert "atlas clusters update club-prod --tier M30;" in manual(live(2), "phase_2", plan)["database"]


def test_a_cost_only_with_prices() -> None:
    assert planned(live(2), "phase_2").cost is None
    priced = PLAN.model_copy(update={"prices": Prices(currency="EUR", api_server=36, database={"M30": 389})})
    cost = planned(live(2), "phase_2", priced).cost
    assert cost is not None and (cost.before, cost.after, cost.currency) == (72, 144, "EUR")
    assert "database (M30: 389)" in cost.unpriced


def test_all_services_of_a_phase_cost_something_together() -> None:
    """Each by its own price; one whose tasks have none is named, and no number is made up for it."""
    prices = Prices(currency="EUR", api_server=36, services={"worker": 10})
    main = planned(live(2), "phase_2", PLAN.model_copy(update={"prices": prices}))
    service = replace(live(1).service, name="worker")
    wanted = Wanted("phase_2", ApiServers(min=3, max=5))

    def together(prices: Prices) -> Cost | None:
        worker = plan_service(replace(live(1), service=service), PLAN.model_copy(update={"prices": prices}), wanted)
        return replace(main, also=(worker,)).cost_together

    assert main.cost is not None
    assert together(prices) == replace(main.cost, before=72 + 10, after=144 + 30)
    unpriced = together(Prices())
    assert unpriced == replace(main.cost, unpriced=(*main.cost.unpriced, "worker"))


def test_an_expiry_puts_the_present_range_back() -> None:
    at = datetime(2026, 11, 25, 18, tzinfo=UTC)
    (target, schedule, count) = planned(live(2), "phase_2", expires=at).steps
    assert target.after == {"MinCapacity": 4, "MaxCapacity": 4} and count.after == 4
    assert schedule.after["Schedule"] == "at(2026-11-25T18:00:00)"
    assert schedule.after["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 2}


@given(
    st.integers(0, 30),
    st.one_of(st.none(), st.tuples(st.integers(0, 10), st.integers(10, 30))),
    st.sampled_from(["phase_1", "phase_2", "phase_3"]),
    st.booleans(),
)
def test_the_count_lands_in_the_phase_and_never_falls_unasked(
    desired: int, target: tuple[int, int] | None, name: str, allowed: bool
) -> None:
    servers = PLAN.phase(name).api_servers
    assert servers is not None
    try:
        plan = planned(live(desired, target=target), name, allow_scale_in=allowed)
    except UsageError:
        assert desired > servers.max and not allowed
        return
    counts = [step.after for step in plan.steps if step.kind is Kind.DESIRED] or [desired]
    assert servers.min <= counts[0] <= servers.max
    assert counts[0] >= desired or allowed
    assert all(step.inverse().inverse() == step for step in plan.steps)
    assert plan_of(json.loads(json.dumps(plan.document())), "x") == plan


def test_a_fingerprint_sees_what_is_configured_and_not_what_runs() -> None:
    now = live(2)
    running = replace(now, service=replace(now.service, running=1, pending=1))
    assert now.fingerprint() == running.fingerprint() != live(3).fingerprint()
    assert now.fingerprint() != live(2, target=(2, 3)).fingerprint()


def test_only_another_count() -> None:
    wanted = Wanted("3 tasks", ApiServers(min=3, max=3), keep_range=True)
    assert kinds(plan_tasks(live(2, target=(1, 5)), wanted)) == [(Kind.DESIRED, 2, 3)]


def test_covers_ignores_what_aws_adds() -> None:
    arn = "arn:aws:autoscaling:eu-west-1:1:scalingPolicy:x:resource/ecs/service/dbz/api:policyName/dbz-out"
    current = {"Threshold": 70, "Extra": 1, "AlarmActions": ["policy:dbz-out"]}
    assert covers(current, {"Threshold": 70.0, "AlarmActions": ["policy:dbz-out"]})
    assert covers(current, {"AlarmActions": [arn]}), "as an older dbz has written it"
    assert not covers({"AlarmActions": [arn]}, current), "an ARN that was not read as a policy's is another policy's"
    assert not covers(current, {"AlarmActions": ["policy:dbz-in"]})
    assert not covers(current, {"Unit": "Percent"})


PHASE = "{name: a, users: 9, connections: 5, requests: 1/s, api_servers: {min: 1, max: 3}}"
HEAD = f"schema: dbz.phases/1\nphases: [{PHASE}]\n"


def alarms(text: str) -> dict[str, dict[str, object]]:
    found = alarms_for(build_phases(parse_yaml(HEAD + text, "p.yaml")), "p/")
    return {name: dict(one) for name, one in found.items()}


def test_sentences_become_alarms_in_the_units_of_their_metrics() -> None:
    found = alarms(
        "scaling: {load_balancer: app/a/1, period: 30s}\nscale_out_when_any:\n"
        "  - CPU > 70% for 4 of 5 minutes\n  - Active connections >= 80% capacity\n"
        "  - response time > 500ms for 1 minute\n  - requests > 10/s\n  - error rate > 1% for 1 minute\n"
    )
    rows = [
        (one.get("MetricName"), one["Threshold"], one["DatapointsToAlarm"], one["EvaluationPeriods"])
        for one in found.values()
    ]
    assert rows == [
        ("CPUUtilization", 70.0, 8, 10),
        ("ActiveConnections", 200.0, 1, 1),
        ("TargetResponseTime", 0.5, 2, 2),
        ("RequestCount", 300.0, 1, 1),
        (None, 0.01, 2, 2),
    ]


def test_all_conditions_for_scaling_in_are_one_expression() -> None:
    (found,) = alarms('scale_in_when_all: ["CPU < 30% for 15 minutes", "Active connections < 40% capacity"]\n').values()
    assert found["EvaluationPeriods"] == found["DatapointsToAlarm"] == 15
    metrics = found["Metrics"]
    there = "FILL(m1, -1) >= 0 AND FILL(m2, -1) >= 0"
    assert isinstance(metrics, list) and metrics[-1]["Expression"] == f"IF({there}, IF(m1 < 30 AND m2 < 100, 1, 0))"
    assert found["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("sentence", "message"),
    [("Active connections > 800", "cannot be an alarm"), ("response time > 1s", "needs scaling.load_balancer")],
)
def test_what_no_alarm_can_say_is_refused(sentence: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        alarms(f'scale_out_when_any: ["{sentence}"]\n')
