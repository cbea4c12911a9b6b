"""The scaling plan: the bundled one is the plan, and what is wrong in another one is named with its line."""

from pathlib import Path

import pytest

from dbz.config.phases.file import build_phases, load_phases
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError, UsageError

HEAD = "schema: dbz.phases/1\nphases:\n"
GOOD = "  - {name: a, users: 9, connections: 5, requests: 60/min}\n"


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build_phases(parse_yaml(text, "plan.yaml"))
    return [str(problem) for problem in caught.value.problems]


def test_the_bundled_plan_is_the_plan() -> None:
    plan = load_phases()
    rows = [(one.name, one.users, one.connections, round(one.requests * 60), one.due) for one in plan.phases]
    assert rows == [
        ("current", 200, 100, 1000, ""),
        ("phase_1", 500, 250, 2500, "3 months"),
        ("phase_2", 1000, 500, 5000, "6 months"),
        ("phase_3", 5000, 2000, 20000, "12 months"),
    ]
    servers = [plan.phase(name).api_servers for name in ("phase_1", "phase_2", "phase_3")]
    assert [(one.min, one.max, one.fixed) for one in servers if one] == [(2, 2, True), (4, 4, True), (2, 10, False)]
    assert str(plan.scale_out_when_any[0]) == "CPU > 70% for 5 minutes"
    assert len(plan.scale_in_when_all) == 3


def test_an_unknown_phase_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown phase 'phse2'; did you mean 'phase_2'\? \(known: current, phase_1"):
        load_phases().phase("phse2")


def test_a_file_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_phases(tmp_path / "none.yaml")


def test_a_given_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(HEAD + GOOD)
    assert load_phases(str(file)).phase("a").requests == 1.0


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('scale_out_when_any: ["CPU > 70% fro 5 minutes"]', 4, "scale_out_when_any.0: expected 'for' and a duration"),
        ("scale_out_when_any: [7]", 4, "7 is not a sentence; write for example"),
        ("scaling: {cooldown_in: 15}", 4, "scaling.cooldown_in: 15 has no unit; write for example 500ms"),
        ("scaling: {bounds: {min: 5, max: 2}}", 4, "min 5 is more than max 2"),
        ("scaling: {bounds: {min: 2, max: 3}}", 3, "a wants 4 API servers, beyond scaling.bounds (2 to 3)"),
        (
            'scale_out_when_any: ["CPU > 50%"]\nscale_in_when_all:\n  - "CPU < 60% for 5 minutes"',
            6,
            "'CPU < 60% for 5 minutes' and 'CPU > 50%' leave no room between",
        ),
    ],
)
def test_what_is_wrong_with_the_scaling_is_named_with_its_line(text: str, line: int, message: str) -> None:
    phase = "  - {name: a, users: 9, connections: 5, requests: 60/min, api_servers: 4}\n"
    (problem,) = problems_of(f"{HEAD}{phase}{text}\n")
    assert problem.startswith(f"plan.yaml:{line}: ") and message in problem


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: b, users: 5, connections: 9, requests: 1/s}", "9 connections are more than its 5 users can hold"),
        ("{name: b, users: 5, connections: 1, requests: 60}", "60 has no unit; write for example 200/s"),
        ("{name: b, users: 5, connections: 1, requests: 0/s}", "greater than 0"),
        ("{name: b, users: 5, connections: 1, requests: 1/s, api_servers: {min: 5, max: 2}}", "min 5 is more than max"),
        ("{name: b, users: 5, connections: 1, requests: 1/s, api_servers: two}", "write for example 4, or {min: 2"),
        ("{name: b, users: 5, connections: 1, requests: 1/s, api_servers: yes}", "True is not a number of servers"),
        ("{name: b, users: 5, connections: 1, requests: 1/s, due: soon}", "write for example 3 months"),
        ("{name: b, users: 5, connections: 1, requests: 1/s, more: ['']}", "is empty"),
        ("{name: b c, users: 5, connections: 1, requests: 1/s}", "'b c' is not a name"),
        ("{name: b, users: 5, conections: 1, requests: 1/s}", "did you mean 'connections'?"),
        ("{name: a, users: 5, connections: 1, requests: 1/s}", "phase 'a' is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(entry: str, message: str) -> None:
    found = problems_of(f"{HEAD}{GOOD}  - {entry}\n")
    assert all(problem.startswith("plan.yaml:4: ") for problem in found)
    assert any(message in problem for problem in found), found


def test_an_empty_condition_is_refused() -> None:
    assert problems_of(f"{HEAD}{GOOD}scale_out_when_any: ['  ']\n") == ["plan.yaml:4: scale_out_when_any.0: is empty"]


def test_a_plan_without_phases_is_refused() -> None:
    assert any("phases" in problem for problem in problems_of("schema: dbz.phases/1\nphases: []\n"))
