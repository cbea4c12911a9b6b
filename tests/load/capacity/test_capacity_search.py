"""The search for the capacity, against made-up servers whose threshold is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.load.capacity.looks import Answer, Length, Tried, Use
from dbz.load.capacity.search import Bounds, Next, SearchResult, interval, search

Oracle = Callable[[int], Answer]


def carry_out(bounds: Bounds, oracle: Oracle, flipped: int | None = None) -> tuple[SearchResult, list[Tried]]:
    """Search to the end; the look number `flipped` says the opposite of the truth."""
    tried: list[Tried] = []
    while isinstance(step := search(bounds, tried), Next):
        assert bounds.lowest <= step.load <= bounds.highest
        assert step.earlier == sum(one.load == step.load for one in tried)
        answer = oracle(step.load)
        if len(tried) == flipped:
            answer = Answer.BREAKS if answer is Answer.HOLDS else Answer.HOLDS
        tried.append(Tried(step.load, answer, step.length))
        assert len(tried) < 200, "the search does not end"
    return step, tried


def up_to(threshold: int, beyond: Answer = Answer.BREAKS) -> Oracle:
    return lambda load: Answer.HOLDS if load <= threshold else beyond


@st.composite
def all_bounds(draw: st.DrawFn) -> Bounds:
    highest = draw(st.integers(1, 20_000))
    start = draw(st.integers(1, highest))
    return Bounds(start, highest, draw(st.integers(1, start)), draw(st.sampled_from((0.1, 0.3))))


def check_found(found: SearchResult, bounds: Bounds, threshold: int) -> None:
    """The bracket holds the threshold and is as narrow as asked for."""
    if threshold < bounds.lowest:
        assert found.holds is None and found.limit is not None and found.limit.load == bounds.lowest
        return
    assert found.holds is not None and found.holds <= threshold
    if found.limit is None:
        assert found.holds == bounds.highest
    else:
        assert found.limit.load > threshold
        assert found.limit.load - found.holds <= max(1, bounds.tolerance * found.holds)


@given(bounds=all_bounds(), threshold=st.integers(0, 25_000))
def test_the_threshold_is_found_within_the_tolerance(bounds: Bounds, threshold: int) -> None:
    found, _ = carry_out(bounds, up_to(threshold))
    check_found(found, bounds, threshold)


@given(bounds=all_bounds(), threshold=st.integers(0, 25_000), flipped=st.integers(0, 30))
def test_one_wrong_answer_moves_it_by_no_more_than_the_tolerance(bounds: Bounds, threshold: int, flipped: int) -> None:
    found, _ = carry_out(bounds, up_to(threshold), flipped)
    lowest, highest = ((found.holds or bounds.lowest - 1), found.limit.load if found.limit else math.inf)
    assert lowest - bounds.width(lowest) <= max(threshold, bounds.lowest - 1)
    assert highest + bounds.width(lowest) > min(threshold, bounds.highest)


@given(bounds=all_bounds(), answers=st.lists(st.sampled_from(Answer), min_size=1, max_size=200))
def test_it_ends_within_the_bounds_whatever_the_answers_are(bounds: Bounds, answers: list[Answer]) -> None:
    numbered = iter(answers * 200)
    found, tried = carry_out(bounds, lambda _load: next(numbered))
    seen = {(one.load, one.answer is Answer.HOLDS) for one in tried}
    assert found.holds is None or (found.holds, True) in seen
    assert found.limit is None or (found.limit.load, False) in seen


def test_how_much_of_a_limit_was_used_says_more_than_whether_it_held() -> None:
    """Ten per cent below a limit that is nearly used up leaves no room; with half of it left there is some."""
    bounds = Bounds(start=65, highest=5000)

    def high(used: float) -> int:
        held, broken = Use("api", math.log(used)), Use("api", math.log(4.0))
        ends = interval(bounds, [Tried(1000, Answer.HOLDS, uses=(held,)), Tried(1500, Answer.BREAKS, uses=(broken,))])
        assert ends is not None
        return ends[1]

    assert high(0.97) < high(0.7) < high(0.3)


@given(bounds=all_bounds(), threshold=st.integers(0, 25_000))
def test_no_end_rests_on_brief_looks_alone(bounds: Bounds, threshold: int) -> None:
    found, tried = carry_out(bounds, up_to(threshold))
    for end in {found.holds, found.limit and found.limit.load} - {None}:
        assert any(one.length is not Length.BRIEF for one in tried if one.load == end)


def test_a_usual_search_takes_few_looks() -> None:
    found, tried = carry_out(Bounds(start=65, highest=5000), up_to(700))
    assert [one.load for one in tried][:5] == [65, 130, 260, 520, 1040]
    assert len(tried) <= 15 and sum(one.length is not Length.BRIEF for one in tried) <= 8
    check_found(found, Bounds(start=65, highest=5000), 700)


@given(bounds=all_bounds(), threshold=st.integers(0, 25_000), full_at=st.integers(1, 25_000))
def test_a_server_whose_cpu_is_known_is_not_sent_far_beyond_it(bounds: Bounds, threshold: int, full_at: int) -> None:
    """What CPU says only spares overloads: the same limit is found, whether CPU tells of it or not."""
    tried: list[Tried] = []
    while isinstance(step := search(bounds, tried), Next):
        if tried and all(look.answer is Answer.HOLDS for look in tried):
            highest = max(look.load for look in tried)
            assert step.load <= math.ceil(max(full_at, 1.2 * highest)) + 1 or step.load <= highest
        tried.append(Tried(step.load, up_to(threshold)(step.load), step.length, cpu_percent=80 * step.load / full_at))
        assert len(tried) < 200, "the search does not end"
    check_found(step, bounds, threshold)


def test_one_bad_moment_while_going_up_is_one_look() -> None:
    found, tried = carry_out(Bounds(start=65, highest=5000), up_to(700), flipped=2)
    assert [one.load for one in tried][:3] == [65, 130, 260]
    check_found(found, Bounds(start=65, highest=5000), 700)
    assert len(tried) <= 16


def test_where_the_generator_gives_up_the_limit_is_not_the_servers() -> None:
    found, _ = carry_out(Bounds(start=10, highest=1000), up_to(300, beyond=Answer.UNDECIDED))
    assert found.limit is not None and found.limit.answer is Answer.UNDECIDED
    assert found.holds is not None and 270 <= found.holds <= 300


def test_a_look_that_was_disturbed_at_the_limit_is_taken_again() -> None:
    """Two users use 80 % of the limit and three 120 %, and the first look at three decides nothing."""
    bounds, tried = Bounds(start=2, highest=4), list[Tried]()
    while isinstance(step := search(bounds, tried), Next):
        if step.load == 3 and not step.earlier:
            tried.append(Tried(3, Answer.UNDECIDED, step.length))
            continue
        answer, use = Answer.HOLDS if step.load < 3 else Answer.BREAKS, Use("slow", math.log(0.4 * step.load), 0.05)
        tried.append(Tried(step.load, answer, step.length, (use,)))
    assert sum(look.load == 3 for look in tried) > 1 and step.holds == 2
    assert step.limit is not None and (step.limit.load, step.limit.answer) == (3, Answer.BREAKS)


def test_a_server_that_breaks_before_the_generator_gives_up_is_the_limit() -> None:
    def oracle(load: int) -> Answer:
        return Answer.HOLDS if load <= 300 else Answer.BREAKS if load <= 500 else Answer.UNDECIDED

    found, _ = carry_out(Bounds(start=10, highest=1000), oracle)
    assert found.limit is not None and found.limit.answer is Answer.BREAKS


def test_the_same_answers_give_the_same_search() -> None:
    assert carry_out(Bounds(50, 4000), up_to(333)) == carry_out(Bounds(50, 4000), up_to(333))


@pytest.mark.parametrize("numbers", [(0, 10, 1), (11, 10, 1), (5, 10, 6)])
def test_bounds_that_exclude_the_start_are_refused(numbers: tuple[int, int, int]) -> None:
    start, highest, lowest = numbers
    with pytest.raises(ValueError, match="cannot begin"):
        Bounds(start, highest, lowest)


def test_a_load_that_broke_twice_is_not_looked_at_again_while_the_limit_is_searched_for_below_it() -> None:
    """Looks as a server of 300 requests/s was seen to answer, the limit of whose other budgets is anywhere beyond."""

    def use(name: str, used: float, error: float = 0.0, *, reached: bool = False) -> Use:
        return Use(name, min(math.log(used), 0.0) if used < 1 else math.log(used), error, reached)

    slow, short = use("response_time", 0.19, 0.017), use("goodput", 1.0054, reached=True)
    overload = (use("error_rate", 357.7, 0.045), Use("response_time", math.inf), use("goodput", 2.65, reached=True))
    looks = [
        Tried(
            200,
            Answer.HOLDS,
            Length.BRIEF,
            (use("response_time", 0.018, 0.36), use("goodput", 0.99, reached=True)),
            3.8,
        ),
        Tried(800, Answer.BREAKS, Length.BRIEF, overload, 2.7),
        Tried(304, Answer.BREAKS, Length.BRIEF, (slow, short), 3.7),
        Tried(304, Answer.BREAKS, Length.BRIEF, (slow, short), 4.2),
    ]
    step = search(Bounds(200, 20_000), looks)
    assert isinstance(step, Next) and 200 < step.load < 304
