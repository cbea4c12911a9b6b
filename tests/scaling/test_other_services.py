"""By which sentences the other services of a phase scale."""

from __future__ import annotations

import pytest

from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import OtherService, Phases
from dbz.config.source import parse_yaml
from dbz.errors import ConfigError
from dbz.scaling.change.others import notes_on_sentences, plan_of_service
from dbz.scaling.native import alarms_for

HEAD = "schema: dbz.phases/1\nphases:\n  - {name: a, users: 9, connections: 5, requests: 1/s, services: {worker: "
RULES = """\
scale_out_when_any: ["CPU > 70% for 5 minutes", "Response time > 1s"]
scale_in_when_all: ["CPU < 30% for 15 minutes", "Memory < 40% for 15 minutes"]
scaling: {load_balancer: app/a/1, target_group: targetgroup/t/2}
"""


def loaded(worker: str, rules: str = RULES) -> tuple[Phases, OtherService]:
    plan = build_phases(parse_yaml(f"{HEAD}{worker}}}}}\n{rules}", "p.yaml"))
    return plan, plan.phases[0].services["worker"]


def test_it_takes_what_any_service_has_a_metric_for() -> None:
    plan, worker = loaded("{min: 1, max: 4}")
    mine = plan_of_service(plan, "worker", worker)
    assert [str(one) for one in mine.scale_out_when_any] == ["CPU > 70% for 5 minutes"]
    assert mine.scale_in_when_all == plan.scale_in_when_all, "all of these are about it"
    assert (mine.scaling.service, mine.scaling.load_balancer, mine.scaling.target_group) == ("worker", "", "")
    (note,) = notes_on_sentences(plan, "worker", worker)
    assert "no alarm for 'Response time > 1000ms'" in note
    for alarm in alarms_for(mine, "x/").values():
        assert "'api'" not in str(alarm) and "'worker'" in str(alarm)


def test_sentences_of_its_own_take_the_place_of_all_of_the_plan_s() -> None:
    plan, worker = loaded('{min: 1, max: 4, target_tracking: ["CPU at 50%"]}')
    mine = plan_of_service(plan, "worker", worker)
    assert (mine.scale_out_when_any, mine.scale_in_when_all) == ([], [])
    assert [str(one) for one in mine.target_tracking] == ["CPU at 50%"]
    assert notes_on_sentences(plan, "worker", worker) == ()


def test_what_is_about_nothing_of_it_is_said() -> None:
    plan, worker = loaded("{min: 1, max: 4}", RULES.replace('"CPU > 70% for 5 minutes", ', ""))
    assert notes_on_sentences(plan, "worker", worker)[-1].startswith("nothing scales worker out")
    assert notes_on_sentences(*loaded("3")[:1], "worker", loaded("3")[1]) == ()


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ('{min: 2, max: 2, scale_out_when_any: ["CPU > 70%"]}', "2 tasks are a fixed number: sentences need a range"),
        ('{min: 1, max: 2, scale_out_when_any: ["CPU > 30%"], scale_in_when_all: ["CPU < 40%"]}', "leave no room"),
        ('{min: 1, max: 2, scale_in_when_all: ["CPU < 40%, +2"]}', "only a sentence for scaling out says how many"),
        ('{min: 1, max: 2, target_tracking: ["CPU at 50%"], scale_in_when_all: ["CPU < 4%"]}', "would fight it"),
        ('{min: 1, max: 2, scale_out_when_any: ["CUP > 7%"]}', "expected a metric"),
    ],
)
def test_its_sentences_are_checked_as_those_of_the_plan_are(worker: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(worker)
    assert message in str(caught.value) and "p.yaml:3" in str(caught.value)
