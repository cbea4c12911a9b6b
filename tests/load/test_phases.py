"""A phase of the plan as a load: its users, connections and requests, exactly."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.load.profile import load_profile, override
from dbz.config.phases.file import load_phases
from dbz.errors import ConfigError
from dbz.load.planning.phases import plan_for_phase, profile_for_phase, scaled
from dbz.load.planning.plan import LoadPlan
from dbz.load.planning.sharing import LONGEST, SHORTEST, equilibrium_delay, pause_per_request_s, shares


def numbers(profile: Any) -> tuple[int, int | None, float | None]:
    return profile.users, profile.connections, profile.requests


def test_a_profile_takes_the_numbers_of_a_phase() -> None:
    profile = load_profile("mixed")
    phase = load_phases().phase("phase_2")
    found = override(profile, profile_for_phase(profile, phase))
    assert numbers(found) == (1000, 500, pytest.approx(5000 / 60))
    assert (found.name, found.scenario, found.rate) == ("mixed phase_2", "mixed", None)


def test_what_the_user_says_counts_more_and_must_still_fit() -> None:
    profile = load_profile("mixed")
    keys = profile_for_phase(profile, load_phases().phase("phase_2"))
    assert override(profile, {**keys, "users": 800}).users == 800
    with pytest.raises(ConfigError, match="400 users cannot hold 500 'connections'"):
        override(profile, {**keys, "users": 400})
    with pytest.raises(ConfigError, match="'requests' already paces the users"):
        override(profile, {**keys, "rate": "5/s"})


@given(users=st.integers(1, 50_000))
def test_a_scaled_load_keeps_its_shares_and_is_valid(users: int) -> None:
    profile = load_profile("mixed")
    profile = override(profile, profile_for_phase(profile, load_phases().phase("phase_2")))
    found = override(profile, scaled(profile, users))
    assert found.users == users
    assert found.connections == pytest.approx(users / 2, abs=1)
    assert found.requests == pytest.approx(users * 5 / 60)


@given(
    weights=st.dictionaries(st.text(max_size=3), st.floats(0.01, 1e3), min_size=1, max_size=8),
    total=st.integers(0, 10_000),
)
def test_shares_add_up_and_are_at_most_one_off(weights: dict[str, float], total: int) -> None:
    found = shares(weights, total)
    assert sum(found.values()) == total
    whole = sum(weights.values())
    assert all(abs(found[name] - total * weight / whole) <= 1 for name, weight in weights.items())


def test_nothing_to_share_among_nobody() -> None:
    assert shares({}, 0) == {}


def test_users_rest_so_that_all_together_make_the_rate() -> None:
    own, counts = {"Notified": 0.125, "Phone": 0.0}, {"Notified": 40, "Phone": 500}
    assert 5 + 500 / pause_per_request_s(80, own, counts, 500) == pytest.approx(80)
    assert pause_per_request_s(4, own, counts, 500) > 0


def test_more_users_than_the_profile_has_do_not_sign_in_faster() -> None:
    profile = load_profile("mixed")
    warmups = [
        override(profile, profile_for_phase(profile, load_phases().phase(name))).warmup
        for name in ("current", "phase_3")
    ]
    assert warmups == [10, pytest.approx(10 * 5000 / 520)]


def test_tasks_begin_at_their_steady_rate_in_every_part_of_the_run() -> None:
    """20,000 users, each with one task a mean rest: every quarter of a rest sees a quarter of the users."""
    numbers = random.Random(1)
    quarters = [0] * 16
    for _ in range(20_000):
        at = equilibrium_delay(numbers)
        while at < 4:
            quarters[int(at * 4)] += 1
            at += numbers.uniform(SHORTEST, LONGEST)
    assert quarters == [pytest.approx(5000, rel=0.05)] * 16


def test_clubs_grow_with_the_users_of_a_phase_where_the_stack_is_our_own() -> None:
    phase = load_phases().phase("phase_3")
    plan = LoadPlan(load_profile("mixed"), "", "", [], embedded=True)
    assert plan_for_phase(plan, phase, {}).profile.stack.clubs == 29
    assert plan_for_phase(replace(plan, embedded=False), phase, {"users": 4000}).profile.stack.clubs == 3
