"""Arrival schedules are pure: the workers together give the whole rate, evenly."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from dbz.load.arrivals import count_before, even_arrivals


@given(st.floats(0.1, 1e5), st.integers(1, 8))
def test_the_workers_arrivals_interleave_to_the_whole_schedule(rate, workers):
    each = [list(islice(even_arrivals(rate, worker, workers), 20)) for worker in range(workers)]
    together = sorted(at for schedule in each for at in schedule)
    alone = list(islice(even_arrivals(rate, 0, 1), 20 * workers))
    assert together == alone


@given(st.floats(0.1, 1000), st.integers(1, 8), st.floats(0, 50), st.data())
def test_the_count_of_arrivals_before_a_moment_is_that_of_the_schedule(rate, workers, end, data):
    worker = data.draw(st.integers(0, workers - 1))
    due = 0
    for at in even_arrivals(rate, worker, workers):
        if at >= end:
            break
        due += 1
    assert abs(count_before(rate, worker, workers, end) - due) <= 1  # one may fall on the moment itself
