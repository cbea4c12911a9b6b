"""Tasks for each phase from a measured capacity."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dbz.config.phases.file import build_phases, load_phases
from dbz.config.phases.plan import ApiServers, Phase
from dbz.config.source.source import parse_yaml
from dbz.errors import ConfigError
from dbz.scaling.size.sizing import (
    MeasuredTask,
    PhaseSize,
    SizeVerdict,
    not_known,
    shortfall,
    size_phases,
    times_carried,
)
from dbz.scaling.size.writing import counts_to_write, with_counts, write_counts

PHASES = load_phases().phases


def sizes(headroom: float = 0.0, **measured: object) -> dict[str, PhaseSize]:
    given_: dict[str, object] = {
        "source": "x", "servers": 1, "users": 600, "connections": 300.0, "requests_per_s": 60.0, "bracket": 1.1,
    }  # fmt: skip
    return {one.phase: one for one in size_phases(PHASES, MeasuredTask(**{**given_, **measured}), headroom)}  # type: ignore[arg-type]


def test_the_largest_need_decides() -> None:
    found = sizes()
    assert found["phase_3"].needs == {"users": 9, "connections": 7, "requests": 6}
    assert (found["phase_3"].tasks, found["phase_3"].at_best, found["phase_3"].by) == (9, 8, "users")
    assert found["phase_3"].verdict is SizeVerdict.ENOUGH
    assert (found["current"].verdict, found["current"].advice) == (SizeVerdict.NOT_PLANNED, "plan 1")


def test_a_plan_that_is_too_small_says_by_how_much() -> None:
    found = sizes(headroom=0.3, users=300)["phase_3"]
    assert (found.verdict, found.advice) == (SizeVerdict.TOO_SMALL, "its users need 22, 12 more than planned")


def test_a_plan_of_more_than_twice_the_need_is_wasteful() -> None:
    found = sizes(users=1000, connections=None, requests_per_s=None)["phase_2"]
    assert (found.verdict, found.advice) == (SizeVerdict.WASTEFUL, "1 would do, 3 fewer than planned")


def test_without_an_upper_end_too_small_is_not_decidable() -> None:
    found = sizes(users=300, bracket=None)["phase_3"]
    assert found.verdict is SizeVerdict.UNKNOWN and "at most 17" in found.advice


def test_between_both_ends_of_the_bracket_is_not_decidable() -> None:
    found = sizes(users=480, connections=None, requests_per_s=None, bracket=1.2)["phase_3"]
    assert (found.at_best, found.tasks, found.verdict) == (9, 11, SizeVerdict.UNKNOWN)


def test_several_servers_that_were_measured_share_the_load() -> None:
    assert sizes(servers=2, users=1200)["phase_3"].needs["users"] == 9


@given(st.integers(1, 10_000), st.floats(1.01, 3), st.floats(0, 1))
def test_the_tasks_carry_the_phase_and_one_fewer_would_not(users: int, bracket: float, headroom: float) -> None:
    for size, phase in zip(
        size_phases(PHASES, MeasuredTask("x", 1, users, None, None, bracket), headroom), PHASES, strict=True
    ):
        load = phase.users * (1 + headroom)
        assert size.tasks * users >= load * (1 - 1e-6)
        assert size.tasks == 1 or (size.tasks - 1) * users < load
        assert size.at_best is not None and math.ceil(load / (users * bracket) - 1e-6) <= size.at_best <= size.tasks


def test_what_the_run_did_not_load_is_not_measured() -> None:
    """A capacity of the HTTP API alone says nothing of a phase's connections, and never that fewer tasks would do."""
    found = sizes(users=None, connections=0.0, requests_per_s=870.0)
    for name in ("phase_1", "phase_2", "phase_3"):
        assert found[name].verdict is SizeVerdict.NOT_MEASURED
        assert found[name].not_measured == ("users", "connections")
    (third,) = size_phases([PHASES[-1]], MeasuredTask("x", 1, None, 0.0, 870.0, 1.1), 0.0, 250)
    assert third.advice == "its connections were not measured; by connections_per_server (250) they need 8"


def test_too_small_by_what_was_measured_is_too_small_whatever_was_not() -> None:
    assert sizes(users=None, connections=None, requests_per_s=5.0)["phase_2"].verdict is SizeVerdict.TOO_SMALL


def test_users_are_measured_with_their_connections_and_requests() -> None:
    assert sizes(users=None)["phase_1"].verdict is not SizeVerdict.NOT_MEASURED


def test_a_plan_whose_tasks_do_not_carry_its_phase_is_named() -> None:
    phase = PHASES[-1]
    assert shortfall(phase, MeasuredTask("x", 2, None, 500.0, 60.0, None)) == (
        "10 tasks of phase_3 carry 300 of 333.3 requests/s, by x: not enough"
    )
    assert shortfall(phase, MeasuredTask("x", 1, 600, 300.0, 60.0, 1.1)) == ""


PLANS = {
    "block": """# the plan
schema: dbz.phases/1
phases:
  - name: one   # the first
    users: 10
    connections: 5
    requests: 1/s
    api_servers: 2   # two
  - name: two
    users: 20
    connections: 10
    requests: 2/s
    api_servers:     # a range
      min: 2
      max: 10        # at most
    # the cache comes later
    cdn: CloudFront
  - name: three
    users: 30
    connections: 20
    requests: 3/s
scaling: {bounds: {min: 1, max: 50}}   # wide
""",
    "flow": """schema: dbz.phases/1
phases:
  - {name: one, users: 10, connections: 5, requests: 1/s, api_servers: 2}   # the first
  - {name: two, users: 20, connections: 10, requests: 2/s, api_servers: {min: 2, max: 10}, cdn: x}
  - {name: three, users: 30, connections: 20, requests: 3/s}
scaling: {bounds: {min: 1, max: 50}}
""",
}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(PLANS)),
    st.dictionaries(
        st.sampled_from(["one", "two", "three"]),
        st.tuples(st.integers(1, 50), st.integers(1, 50))
        .map(sorted)
        .map(lambda two: ApiServers(min=two[0], max=two[1])),
    ),
)
def test_numbers_are_written_into_the_plan_and_nothing_else_changes(style: str, counts: dict[str, ApiServers]) -> None:
    asked = {name: {"api": servers} for name, servers in counts.items()}
    before, text = parse_yaml(PLANS[style], "p"), with_counts(PLANS[style], asked)
    old, new = build_phases(before), build_phases(parse_yaml(text, "p"))
    for phase in new.phases:
        was = old.phase(phase.name)
        assert phase.api_servers == counts.get(phase.name, was.api_servers)
        assert phase.model_copy(update={"api_servers": None}) == was.model_copy(update={"api_servers": None})
    comments = [line.split("#", 1)[1] for line in PLANS[style].splitlines() if "#" in line]
    kept = [line.split("#", 1)[1] for line in text.splitlines() if "#" in line]
    assert comments == kept
    assert with_counts(PLANS[style], {}) == PLANS[style]


def test_only_what_is_wrong_by_measurement_is_written(tmp_path: Path) -> None:
    file = tmp_path / "phases.yaml"
    file.write_text(PLANS["block"])
    plan = build_phases(parse_yaml(PLANS["block"], "p"))
    measured = MeasuredTask("x", 1, 3, 3.0, 1.0, 1.1)
    counts = counts_to_write(plan, size_phases(plan.phases, measured, 0.0))
    assert {name: (of["api"].min, of["api"].max) for name, of in counts.items()} == {"one": (4, 4), "three": (10, 10)}
    write_counts(file, counts)
    with pytest.raises(ConfigError, match=r"beyond scaling\.bounds"):
        write_counts(file, {"one": {"api": ApiServers(min=60, max=60)}})
    assert "api_servers: 4   # two" in file.read_text() and "60" not in file.read_text()


COUNTS = st.one_of(st.none(), st.just(0), st.integers(1, 5000))


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 9), st.sampled_from(PHASES))
def test_headroom_and_sizes_agree_on_what_is_not_known(
    users: int | None, connections: int | None, requests: int | None, tasks: int, phase: Phase
) -> None:
    """Whatever was measured, also nothing of a phase: no tasks are called enough for what nobody has measured."""
    measured = MeasuredTask("x", 1, users, connections, requests, 1.1)
    assume(measured.whole)
    phase = phase.model_copy(update={"connections": phase.connections if tasks % 2 else 0})
    ratio, (size,) = times_carried(phase, measured, tasks), size_phases([phase], measured, 0.0)
    shares = [value / {"users": phase.users, "connections": phase.connections, "requests": phase.requests}[name] * tasks
              for name, value in measured.whole.items() if name != "connections" or phase.connections]  # fmt: skip
    assert ratio == (pytest.approx(min(shares)) if shares else None)
    if phase.api_servers and not_known(phase, measured):
        assert size.verdict in (SizeVerdict.NOT_MEASURED, SizeVerdict.TOO_SMALL)
    if ratio is None:
        assert not_known(phase, measured), "something is asked for that was not measured"
