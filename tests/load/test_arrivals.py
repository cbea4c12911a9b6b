"""Arrival schedules and shapes are pure: same profile and seed, same load."""

import math
import time
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbz.config.load.shapes import SHAPES, Stage
from dbz.load.generator.pace.arrivals import Arrivals
from dbz.load.planning.arrivals import Ramp, arrival_times

STAGES = st.lists(st.builds(Stage, to=st.floats(0, 500), over_s=st.floats(0, 30)), max_size=5)
RAMPS = st.builds(Ramp, st.floats(0.1, 500), st.floats(0, 20), STAGES)


def integral(ramp: Ramp, until_s: float, steps: int = 20_000) -> float:
    """The area under the target, by the midpoint rule."""
    step_s = until_s / steps
    return sum(ramp.at((number + 0.5) * step_s) for number in range(steps)) * step_s


@given(st.floats(0.1, 1e4), st.integers(1, 8))
def test_the_workers_even_arrivals_interleave_to_the_whole_schedule(rate, workers):
    ramp = Ramp(rate)
    each = [list(islice(arrival_times(ramp, "even", 1, worker, workers), 20)) for worker in range(workers)]
    together = sorted(at for schedule in each for at in schedule)
    assert together == pytest.approx([number / rate for number in range(20 * workers)])


@given(RAMPS, st.floats(0, 5000))
def test_the_moment_of_a_count_is_where_the_area_under_the_target_reaches_it(ramp, number):
    at_s = ramp.time_of(number)
    assume(math.isfinite(at_s) and at_s < 200)
    assert integral(ramp, at_s) == pytest.approx(number, rel=0.01, abs=0.5)


@given(RAMPS, st.sampled_from(["even", "poisson"]), st.integers(0, 99))
def test_arrivals_come_in_order_and_are_the_same_for_the_same_seed(ramp, spacing, seed):
    first, second = (list(islice(arrival_times(ramp, spacing, seed, 0, 1), 200)) for _ in range(2))
    assert first == second
    assert all(earlier <= later for earlier, later in pairwise(first))


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process():
    counts = []
    for seed in range(200):
        schedules = [arrival_times(Ramp(20), "poisson", seed, worker, 2) for worker in range(2)]
        counts.append(sum(1 for one in schedules for _ in takewhile(lambda at: at < 10, one)))
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert mean == pytest.approx(200, rel=0.02)
    assert variance == pytest.approx(200, rel=0.35)


def test_a_ramp_down_to_zero_ends_the_schedule():
    schedule = list(arrival_times(Ramp(10, 1, [Stage(0, 2.1)]), "even", 1, 0, 1))
    assert len(schedule) == 21  # the area is 20.5, and the first arrival is at its beginning
    assert schedule[-1] < 3.1


@pytest.mark.parametrize("shape", SHAPES)
@given(level=st.floats(1, 1000), duration_s=st.floats(5, 3600))
def test_a_shape_lasts_as_long_as_it_is_asked_to(shape, level, duration_s):
    stages = SHAPES[shape](level, duration_s)
    assert sum(stage.over_s for stage in stages) == pytest.approx(duration_s)
    assert all(stage.over_s >= 0 and stage.to >= 0 for stage in stages)


def test_a_spike_is_five_times_the_level_and_comes_back():
    ramp = Ramp(100, 0, SHAPES["spike"](100, 100))
    assert [ramp.at(moment) for moment in (10, 50, 90)] == [100, 500, 100]


def test_what_would_be_due_while_users_stop_is_no_lost_arrival():
    arrivals = Arrivals(arrival_times(Ramp(1000), "even", 1, 0, 1))
    arrivals.begin()
    began_s = time.monotonic()
    time.sleep(0.05)
    arrivals.end()
    due = (time.monotonic() - began_s) * 1000
    time.sleep(0.2)
    lost = arrivals.not_begun()
    assert 50 <= lost <= due + 1
    assert arrivals.not_begun() == 0, "each is counted once"
