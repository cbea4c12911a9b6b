"""The simulator: what it says of the plan's own trace, of known loads, and of bad files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.config.phases.file import load_phases
from dbz.errors import ConfigError
from dbz.scaling.decide.policies import rules_of
from dbz.scaling.simulate.simulator import ByAlarms, ByRules, Fixed, Simulation, simulate
from dbz.scaling.simulate.traces import SHAPES, Trace, make_shape, read_trace

PLAN = load_phases()
PEAK = PLAN.phase("phase_3")
PER_TASK_PER_S = PEAK.requests / 10 / 0.7


def by_rules(trace: Trace, tasks: int = 2, lowest: int = 1, highest: int = 20) -> Simulation:
    return simulate("rules", ByRules(rules_of(PLAN, lowest, highest)), trace, tasks, per_task=250)


def constant(demand: float, seconds: int, sockets: float = 0) -> Trace:
    return Trace("constant", [demand] * seconds, [sockets] * seconds)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_plans_own_three_phase_trace_flaps_at_most_once(seed: int) -> None:
    found = by_rules(make_shape("phases", PLAN.phases, PEAK, PER_TASK_PER_S, seed))
    assert found.flaps <= 1
    assert found.highest >= 10 and found.running[-1] * 0.8 >= PEAK.connections / 250 * 0.99


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_reaches_its_peak_and_is_the_same_for_the_same_seed(shape: str) -> None:
    first, again = (make_shape(shape, PLAN.phases, PEAK, PER_TASK_PER_S, 7) for _ in range(2))
    assert first == again
    assert max(value for value in first.demand if value is not None) >= 0.95 * 7
    assert max(value for value in first.connections if value is not None) >= 0.95 * 2000


def test_a_step_over_capacity_asks_within_a_period_of_the_duration() -> None:
    found = by_rules(constant(1.9, 1800))
    assert found.changes[0].at_s == 300 and found.running[359:361] == [2, 3]
    assert found.under_s == 0 and found.desired[-1] == 3


def test_what_is_lost_is_what_found_no_capacity() -> None:
    found = simulate("fixed:2", Fixed(2, 60), constant(3.0, 600), 2, per_task=250)
    assert (found.under_s, found.lost, found.task_hours) == (600, pytest.approx(1 / 3), pytest.approx(1200 / 3600))


def test_a_step_that_is_taken_back_soon_is_a_flap() -> None:
    demand = [2.8] * 600 + [0.2] * 1400 + [2.8] * 600
    found = by_rules(Trace("waves", demand, [0.0] * len(demand)), tasks=3)
    steps = [(change.at_s, change.after - change.before, change.flap) for change in found.changes]
    assert steps == [(300, 1, False), (480, 1, False), (1500, -1, True), (2340, 1, True)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 30)), st.integers(30, 900)), min_size=1, max_size=8))
def test_bounds_hold_on_any_trace(pieces: list[tuple[float | None, int]]) -> None:
    demand = [value for value, seconds in pieces for _ in range(seconds)]
    found = by_rules(Trace("any", demand, [0.0] * len(demand)), tasks=3, lowest=2, highest=6)
    assert all(2 <= value <= 6 for value in found.desired)
    assert all(0 < running <= 6 for running in found.running)


def test_a_recorded_trace_counts_each_row_until_the_next(tmp_path: Path) -> None:
    file = tmp_path / "monday.csv"
    file.write_text(
        "time,cpu,tasks,memory\n2026-11-02T10:00:00Z,50,4,40\n2026-11-02T10:01:00Z,,4,41\n2026-11-02T10:02:00Z,75,2,\n"
    )
    trace = read_trace(file, 50.0)
    assert len(trace) == 180
    assert [trace.demand[at] for at in (0, 59, 60, 120)] == [2.0, 2.0, None, 1.5]
    assert trace.memory is not None and [trace.memory[at] for at in (0, 179)] == [0.4, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header needs 'time'"),
        ("time,cpu\n1,2\n2,3\n", "the header needs 'time', and 'requests' or 'cpu,tasks'"),
        ("time,requests,speed\n1,2,3\n", "t.csv:1: column 'speed' is unknown"),
        ("time,requests\n1,2\n", "needs at least two rows"),
        ("time,requests\n1,2\n2,many\n", "t.csv:3: requests: 'many' is not a number"),
        ("time,requests\n1,2\n2,-3\n", "t.csv:3: requests: '-3' is not a number"),
        ("time,requests\n1,2\nnoon,3\n", "t.csv:3: time: 'noon' is neither seconds nor ISO 8601"),
        ("time,requests\nnan,5\n60,7\n", "t.csv:2: time: 'nan' is neither seconds nor ISO 8601"),
        ("time,requests\n0,5\ninf,7\n", "t.csv:3: time: 'inf' is neither seconds nor ISO 8601"),
        ("time,requests\n5,2\n5,3\n", "t.csv:3: time does not go forward"),
        ("time,requests\n0,2\n99999999,3\n", "t.csv:3: covers more than 31 days"),
        ("time,requests\n0,2,9\n", "t.csv:2: has more cells"),
    ],
)
def test_a_bad_trace_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_trace(tmp_path / "t.csv", 50.0)
    assert message in str(caught.value)


def test_a_trace_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_trace(tmp_path / "none.csv", 50.0)


def test_a_trace_at_full_cpu_is_censored_and_says_only_the_least(tmp_path: Path) -> None:
    """Half an hour at 100 % of 4 tasks: nobody knows how much more was asked."""
    rows = ["time,cpu,tasks", *(f"{minute * 60},{100 if 30 <= minute < 60 else 50},4" for minute in range(90))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    trace = read_trace(tmp_path / "t.csv", 50.0)
    assert trace.censored_s == 1800
    found = simulate("fixed:4", Fixed(4, 60), trace, 4, per_task=250)
    assert found.censored_s == 1800 and found.under_s == 0
    (tmp_path / "r.csv").write_text("time,requests\n0,500\n60,500\n")
    assert read_trace(tmp_path / "r.csv", 50.0).censored_s == 0, "requests say what was asked"


def test_alarms_of_aws_scale_in_where_the_daemon_would_not() -> None:
    """After a step out AWS does not rest before one in, and it does not ask whether the load would come back."""
    demand = [2.8] * 600 + [0.2] * 1400 + [2.8] * 600
    trace = Trace("waves", demand, [0.0] * len(demand))
    native = simulate("rules", ByAlarms(rules_of(PLAN, 1, 20)), trace, 3, per_task=250)
    own = by_rules(trace, tasks=3)
    first_in = [next(change.at_s for change in one.changes if change.after < change.before) for one in (native, own)]
    assert first_in[0] <= first_in[1]
    assert native.changes[0].at_s == 300


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 30)), st.integers(30, 900)), min_size=1, max_size=6))
def test_alarms_of_aws_keep_the_bounds_and_never_scale_in_on_missing_data(
    pieces: list[tuple[float | None, int]],
) -> None:
    demand = [value for value, seconds in pieces for _ in range(seconds)]
    trace = Trace("any", demand, [0.0] * len(demand))
    found = simulate("rules", ByAlarms(rules_of(PLAN, 2, 6)), trace, 3, per_task=250)
    assert all(2 <= value <= 6 for value in found.desired)
    for change in found.changes:
        if change.after < change.before:
            minutes = [demand[at - 60 : at] for at in range(change.at_s, change.at_s - 900, -60)]
            assert all(any(value is not None for value in minute) for minute in minutes)
