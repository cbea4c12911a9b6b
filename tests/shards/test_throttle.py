"""How fast to copy: the controller by its properties, and a move beside real stores that are asked all the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.shards.move.pace import Pace
from dbz.shards.move.progress import MoveTracker
from dbz.shards.move.throttle import RateControl, allowed_ms, p95_ms
from dbz.shards.plan.document import PlannedMove
from tests.shards.moves import findings, working
from tests.shards.stores import World
from tests.shards.writers import writing

MOST = 20e6
HEARD = st.lists(st.tuples(st.booleans(), st.floats(0, 2 * MOST)))


@given(HEARD)
def test_the_rate_stays_between_its_bounds_and_moves_the_right_way(heard: list[tuple[bool, float]]) -> None:
    control, late = RateControl(MOST), False
    for in_time, copied in heard:
        before = control.limit
        after = control.hear(in_time=in_time, copied_bytes_per_s=copied)
        assert MOST / 40 <= after <= MOST
        assert after >= before if in_time else after <= before
        assert in_time or not late or after <= max(before / 2, MOST / 40), "the second time in a row"
        late = not in_time


@given(HEARD)
def test_half_a_minute_of_good_answers_gives_the_whole_rate_back(heard: list[tuple[bool, float]]) -> None:
    control = RateControl(MOST)
    for in_time, copied in heard:
        control.hear(in_time=in_time, copied_bytes_per_s=copied)
    for _ in range(30):
        control.hear(in_time=True, copied_bytes_per_s=control.limit)
    assert control.limit == MOST


@given(st.floats(MOST / 20, MOST * 0.99))
def test_beside_a_store_that_bears_so_much_the_rate_settles_below_it(bearable: float) -> None:
    control = RateControl(MOST)
    limits = [control.hear(in_time=control.limit <= bearable, copied_bytes_per_s=control.limit) for _ in range(200)]
    settled = limits[10:]
    assert max(settled) <= bearable + min(MOST / 20, bearable / 4)
    three = zip(settled, settled[1:], settled[2:], strict=False)
    assert all(min(limits) <= bearable for limits in three), "two seconds late at most"
    assert min(settled) >= min(bearable / 2, MOST / 40)
    assert sum(limit <= bearable for limit in settled) >= len(settled) / 2


@given(HEARD)
def test_batches_shrink_with_the_rate_and_grow_only_at_the_whole_rate(heard: list[tuple[bool, float]]) -> None:
    control = RateControl(MOST)
    for in_time, copied in heard:
        before, whole = control.grain, control.limit == MOST
        control.hear(in_time=in_time, copied_bytes_per_s=copied)
        assert 1 / 16 <= control.grain <= 1
        assert control.grain <= before if not in_time else control.grain >= before
        assert whole or control.grain <= before


@given(st.floats(1 / 16, 1))
def test_a_store_that_only_minds_large_batches_is_copied_at_the_whole_rate(bearable: float) -> None:
    """Late whenever a batch is larger than it bears, whatever the rate is."""
    control = RateControl(MOST)
    limits = []
    for _ in range(400):
        control.hear(in_time=control.grain <= bearable, copied_bytes_per_s=control.limit)
        limits.append(control.limit)
    assert sum(limits) / len(limits) > MOST * 0.9
    assert control.grain <= bearable * 1.1


@given(st.floats(MOST / 40, MOST))
def test_a_limit_that_did_not_limit_is_cut_to_half_of_what_was_copied_at_once(copied: float) -> None:
    control = RateControl(MOST)
    assert control.hear(in_time=False, copied_bytes_per_s=copied) == MOST, "smaller batches may be enough"
    assert control.hear(in_time=False, copied_bytes_per_s=copied) == max(copied / 2, MOST / 40)


@given(st.lists(st.floats(0, 1e4), min_size=1))
def test_the_95th_percentile_is_an_answer_that_at_most_a_twentieth_exceeds(answers: list[float]) -> None:
    found = p95_ms(answers)
    assert found in answers and sum(one > found for one in answers) <= len(answers) / 20


@given(st.floats(0, 1e4))
def test_twice_as_late_is_allowed_and_a_little_noise(usual: float) -> None:
    assert allowed_ms(usual) == pytest.approx(max(2 * usual, usual + 5))


def test_a_move_gives_way_while_a_shard_answers_late_and_is_none_the_worse(adopted: World) -> None:
    """A shard that may take a microsecond is always late: copying is cut, and says so."""
    adopted.fill({"club06": 150}, text="x" * 2000)
    tracker = MoveTracker()
    options = {"max_latency_s": 1e-6, "tracker": tracker, "stop": lambda: tracker.standing().slowed is not None}
    with writing(adopted, ["club06"]) as ledger:
        with working(adopted, rate_bytes_per_s=2e5, **options) as (work, control, journal):
            source = control.map().shard_of("club06")
            journal.add([PlannedMove("club06", source, "shard_2", 300, 630_000)])
            assert work.run().paused
        slowed = tracker.standing().slowed
        assert slowed is not None and slowed.shard in (source, "shard_2")
        assert slowed.latency_ms > slowed.allowed_ms == 1e-3 and slowed.usual_ms > 0
        assert 2e5 / 40 <= slowed.limit_bytes_per_s <= 1e5
        with working(adopted) as (work, control, _):
            assert [move.club for move in work.run().done] == ["club06"]
            shard_map = control.map()
    assert ledger.check(adopted, shard_map) == [] and not ledger.refused
    assert findings(adopted) == []


def test_copying_without_a_rate_asks_nobody_and_never_rests(adopted: World) -> None:
    pace = Pace(None)
    with pace.watching(adopted.deployment, "no such shard") as there:
        there.rest(10**12, 10**6)
    assert pace.slowed is None
