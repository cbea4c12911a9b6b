"""Counting breaches over time: the constant-time window against its definition, whatever is missing."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.conditions import parse_condition
from dbz.config.grammar.windows import ConditionFollower

SENTENCES = (
    "CPU > 70% for 3 minutes", "CPU >= 70% for 2 of 5 minutes", "CPU < 30%", "Response time <= 200ms for 90 seconds",
)  # fmt: skip
READINGS = st.lists(
    st.one_of(st.none(), st.just(math.nan), st.sampled_from([0.2, 0.3, 0.7, 0.9, 200.0, 250.0])), max_size=20
)
STEPS = st.lists(st.one_of(READINGS, st.integers(1, 9), st.just("forget")), max_size=6)


@given(st.sampled_from(SENTENCES), STEPS)
def test_a_window_is_what_the_newest_readings_say(sentence: str, steps: list[list[float | None] | int | str]) -> None:
    condition = parse_condition(sentence)
    follower = ConditionFollower(condition, 60.0)
    needed, size = condition.samples(60.0)
    every: list[bool | None] = []
    for step in steps:
        if step == "forget":
            every.clear()
            follower.window.forget()
        elif isinstance(step, int):
            every += [None] * step
            follower.leave_out(step)
        else:
            assert not isinstance(step, str)
            for value in step:
                unknown = value is None or math.isnan(value)
                every.append(None if value is None or unknown else condition.compare(value, condition.limit))
                assert follower.add(value) is every[-1]
        newest, window = every[-size:], follower.window
        assert (window.holding, window.missing) == (newest.count(True), newest.count(None))
        assert window.met == (newest.count(True) >= needed)
        assert window.met_and_complete == (window.met and None not in newest and len(newest) == size)


@given(st.sampled_from(SENTENCES), st.sampled_from([None, math.nan, 0.2, 0.3, 0.7, 0.9, 200.0, 250.0]))
def test_the_opposite_holds_exactly_where_the_condition_does_not(sentence: str, value: float | None) -> None:
    condition = parse_condition(sentence)
    held, opposite = condition.holds(value), condition.opposite()
    assert opposite.holds(value) is (None if held is None else not held)
    assert opposite.samples(60.0) == (1, 1) and parse_condition(str(opposite)) == opposite
