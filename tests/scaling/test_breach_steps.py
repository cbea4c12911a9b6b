"""Steps by size of breach: read, decided, emitted, and carried out by the local cloud, all alike."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.conditions import BreachStep, Condition, parse_condition
from dbz.config.grammar.watched import Watched
from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import ApiServers, Phases
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError
from dbz.scaling.aws import Aws
from dbz.scaling.change.applying import Manner, apply_plan
from dbz.scaling.change.live import read_live
from dbz.scaling.change.planner import plan_native
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.decide.rules import Policy, RuleEngine, Sample
from dbz.scaling.handle import ServiceHandle
from dbz.scaling.native import _limit, alarms_for, policies_for
from dbz.scaling.simulate.simulator import ByAlarms, ByRules, simulate
from dbz.scaling.simulate.traces import Trace
from tests.cloud.clouds import KEYS, REGION, RunningCloud

GROWING = "CPU > 70% for 5 minutes, +2, +4 from 85%, +8 from 95%"


def plan_of(*out: str, more: str = "") -> Phases:
    sentences = "".join(f'  - "{one}"\n' for one in out)
    phase = "{name: a, users: 9, connections: 5, requests: 1/s, api_servers: {min: 2, max: 12}}"
    text = f"schema: dbz.phases/1\nphases: [{phase}]\nscale_out_when_any:\n{sentences}{more}"
    return build_phases(parse_yaml(text, "p.yaml"))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Sentences with up to four steps, in either direction."""
    op = draw(st.sampled_from([">", ">=", "<", "<="]))
    limits = draw(st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(sorted))
    if op.startswith("<"):
        limits.reverse()
    counts = draw(st.lists(st.integers(1, 50), min_size=len(limits), max_size=len(limits), unique=True).map(sorted))
    first = draw(st.sampled_from([None, counts[0]]))
    metric, of_capacity = draw(
        st.sampled_from([(Watched.CPU, False), (Watched.MEMORY, False), (Watched.CONNECTIONS, True),
                         (Watched.ERROR_RATE, False), (Watched.REQUESTS, False), (Watched.RESPONSE_TIME, False)])
    )  # fmt: skip
    scale = 1 if metric in (Watched.REQUESTS, Watched.RESPONSE_TIME) else 100
    steps = tuple(BreachStep(n, limit / scale) for n, limit in zip(counts[1:], limits[1:], strict=True))
    return Condition(metric, op, limits[0] / scale, of_capacity, tasks=first, steps=steps)


@given(conditions())
def test_a_sentence_says_what_can_be_read_again(condition: Condition) -> None:
    assert parse_condition(str(condition)) == condition


@given(conditions(), st.integers(0, 1000))
def test_aws_and_the_engine_add_the_same(condition: Condition, tenths: int) -> None:
    """By the local cloud's reading of StepAdjustments, for every value, the limits themselves too."""
    plan = plan_of("CPU > 70%", more="scaling: {step: 1, load_balancer: app/a/1}\n")
    plan = plan.model_copy(update={"scale_out_when_any": [condition]})
    (policy,) = policies_for(plan).values()
    (alarm,) = alarms_for(plan, "p/").values()
    scale = 10 if condition.metric in (Watched.REQUESTS, Watched.RESPONSE_TIME) else 1000
    value = tenths / scale
    beyond = round(_limit(replace(condition, limit=value), plan.scaling) - alarm["Threshold"], 9)
    from dbz.cloud.autoscaling.scaling import _stepped  # moto, below it, takes a second of all who collect the tests

    added = _stepped(policy["StepScalingPolicyConfiguration"], SimpleNamespace(desired_count=0), beyond)
    assert added == condition.tasks_at(value, plan.scaling.step)


@pytest.mark.parametrize(
    ("text", "expected", "marked"),
    [
        ("CPU > 70%, 2", "'+' and a number of tasks", "2"),
        ("CPU > 70%, +2, +1 from 90%", "more than 2", "1"),
        ("CPU > 70%, +2, +3", "'from' and a limit", ""),
        ("CPU > 70%, +2 from 60%", "further than the one before", ""),
        ("CPU < 30%, +2 from 60%", "further than the one before", ""),
        ("connections > 80% capacity, +2 from 900", "in the same unit", ""),
        ("CPU > 70%, +0", "more than 0", "0"),
        ("CPU > 70%, +2 above 90%", "nothing more", "above"),
    ],
)
def test_what_is_wrong_with_a_step_is_marked(text: str, expected: str, marked: str) -> None:
    with pytest.raises(ValueError, match="expected ") as caught:
        parse_condition(text)
    message, shown, marks = str(caught.value).split("\n")
    assert expected in message
    assert shown[marks.index("^") : marks.index("^") + marks.count("^")] == marked


def test_steps_are_for_scaling_out_only() -> None:
    with pytest.raises(ConfigError, match="only a sentence for scaling out says how many tasks"):
        plan_of(GROWING, more='scale_in_when_all: ["CPU < 30% for 15 minutes, +2"]\n')


def engine_after(cpu: float, *out: str) -> tuple[int, str]:
    engine = RuleEngine(Policy([parse_condition(one) for one in out], [], 2, 12))
    for minute in range(1, 6):
        engine.observe(Sample(minute * 60, 2, {Watched.CPU: cpu}))
    decision = engine.decide(300, 2)
    return decision.desired, decision.reason


def test_from_two_tasks_to_ten_in_one_step_and_the_furthest_sentence_decides() -> None:
    assert [engine_after(cpu, GROWING)[0] for cpu in (0.7, 0.75, 0.85, 0.95, 1.0)] == [2, 4, 6, 10, 10]
    assert engine_after(0.97, "CPU > 50%", GROWING, "CPU > 90%, +3") == (10, str(parse_condition(GROWING)))


def test_a_policy_for_each_sentence_that_has_steps_and_one_for_the_rest() -> None:
    plan = plan_of(GROWING, "Memory > 80%", "CPU > 60%")
    policies, alarms = policies_for(plan), alarms_for(plan, "p/")
    assert list(policies) == ["dbz-out-cpu-over-70-for-5-minutes", "dbz-out"]
    assert policies["dbz-out-cpu-over-70-for-5-minutes"]["StepScalingPolicyConfiguration"]["StepAdjustments"] == [
        {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": 2},
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 15.0, "ScalingAdjustment": 2},
        {"MetricIntervalLowerBound": 15.0, "MetricIntervalUpperBound": 25.0, "ScalingAdjustment": 4},
        {"MetricIntervalLowerBound": 25.0, "ScalingAdjustment": 8},
    ]
    assert [one["AlarmActions"][0] for one in alarms.values()] == [
        "policy:dbz-out-cpu-over-70-for-5-minutes", "policy:dbz-out", "policy:dbz-out"
    ]  # fmt: skip
    assert "p/out CPU > 70% for 5 minutes" in alarms, "other steps are another policy, not another alarm"


def test_simulated_a_spike_is_met_by_one_step_instead_of_eight() -> None:
    trace = Trace("spike", [1.0] * 600 + [9.0] * 1800, [0] * 2400)
    grown, slow = (
        simulate("x", ByRules(rules_of(plan_of(one), 2, 12)), trace, 2, per_task=250)
        for one in (GROWING, "CPU > 70% for 5 minutes")
    )
    assert (grown.changes[0].before, grown.changes[0].after) == (2, 10)
    assert grown.under_s < slow.under_s / 3


def test_a_breach_that_grows_while_the_policy_rests_adds_the_difference_on_aws() -> None:
    """As Application Auto Scaling documents it; 5 s periods."""
    plan = plan_of("CPU > 70%, +2, +3 from 95%", more="scaling: {period: 5s, cooldown_out: 5m, cooldown_in: 5m}\n")
    trace = Trace("grows", [1.6] * 60 + [9.0] * 60, [0] * 120)
    native = simulate("x", ByAlarms(rules_of(plan, 2, 12)), trace, 2, per_task=250, start_delay_s=0)
    assert [(one.before, one.after) for one in native.changes] == [(2, 4), (4, 5)]


def test_the_local_cloud_goes_from_two_tasks_to_ten_in_one_step(
    cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBZ_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    service = cloud.new_service(2)
    handle = ServiceHandle(Aws(region=REGION, endpoint=cloud.url, credentials=KEYS), "dbz", service)
    more = f"scaling: {{service: {service}, period: 1s, cooldown_out: 10m, cooldown_in: 10m}}\n"
    plan = plan_of("CPU > 70%, +1, +8 from 95%", more=more)
    made = plan_native(read_live(handle), plan, ApiServers(min=2, max=12))
    apply_plan(handle.aws, made, Manner(30.0, lambda _: None))
    cloud.control(demand=1000.0)
    cloud.until(service, lambda one: one["desiredCount"] == 10)
    scaling = cloud.client("application-autoscaling")
    found = scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=f"service/dbz/{service}")
    assert [one["Description"] for one in found["ScalingActivities"]] == ["Setting desired count to 10."]
