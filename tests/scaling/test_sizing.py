"""Tasks for each phase from a measured capacity."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dbz.config.phases import load_phases
from dbz.scaling.size.sizing import MeasuredTask, PhaseSize, SizeVerdict, size_phases

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
