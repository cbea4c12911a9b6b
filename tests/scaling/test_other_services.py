"""By which sentences the other services of a phase scale."""

from __future__ import annotations

import pytest

from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import OtherService, Phases
from dbz.config.source.source import parse_yaml
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


TWO = """\
schema: dbz.phases/1
phases:
  - {name: a, users: 9, connections: 5, requests: 1/s, services: {api: 2, chat: {min: 2, max: 6}}}
  - {name: b, users: 9, connections: 5, requests: 1/s, services: {chat: 4}}
  - {name: c, users: 9, connections: 5, requests: 1/s, api_servers: 5}
  - {name: d, users: 9, connections: 5, requests: 1/s}
scaling: {priorities: {worker: low, chat: medium}}
"""


def test_the_api_servers_may_stand_among_the_services() -> None:
    plan = build_phases(parse_yaml(TWO.replace("worker: low, ", ""), "p.yaml"))
    servers = [plan.whole_phase(name).api_servers for name in "abcd"]
    assert [one and (one.min, one.max) for one in servers] == [(2, 2), (2, 2), (5, 5), None]
    assert [list(plan.whole_phase(name).services) for name in "abcd"] == [["chat"]] * 4
    names = ("auth", "chat", "api", "game", "band_sync", "anybody")
    levels = ["high", "medium", "high", "medium", "low", "medium"]
    assert [plan.scaling.priority(name) for name in names] == levels


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("chat: 4", "chat: -4", r"p.yaml:4: phases.1.services.chat: must be from 1 to 1000 tasks, not -4"),
        ("chat: 4", "chat: {min: 5, max: 4}", r"phases.1.services.chat: min 5 is more than max 4"),
        ("chat: 4", "chat: 21", r"p.yaml:4: b wants 21 tasks of chat, beyond scaling.bounds \(1 to 20\)"),
        ("5}\n", "5, services: {api: 4}}\n", "p.yaml:5: c says the tasks of api twice, as api_servers and here"),
        ("api: 2", 'api: {min: 1, max: 2, target_tracking: ["CPU at 50%"]}', "api is scaling.service: it scales by"),
        ("worker", "chta", r"p.yaml:7: no phase has a service 'chta'; did you mean 'chat'\?"),
        ("low", "lowest", "'lowest' is not allowed"),
    ],
)
def test_what_services_cannot_be_is_said(written: str, instead: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_phases(parse_yaml(TWO.replace(written, instead), "p.yaml"))
