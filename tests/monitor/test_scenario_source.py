"""What a scenario that is played as a probe becomes: figures that rules judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.config.grammar.watched import Watched
from dbz.errors import UsageError
from dbz.load.standing import plan_standing
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import ACK, DELIVERY, HTTP, Series
from dbz.monitor.sources.scenario import reading_of


def histogram(*values_ms: int) -> Histogram:
    made = Histogram()
    for value in values_ms:
        made.record(value * 1000)
    return made


def test_messages_on_their_way_are_measured_as_in_a_load() -> None:
    found = Measurements(10.0, {
        Series(HTTP, "GET /a"): Latency(histogram(10, 30), Histogram()),
        Series(DELIVERY, "chat"): Latency(histogram(*range(1, 101)), Histogram()),
    }, deliveries={"delivery.lost": {"chat": (0, 100)}})  # fmt: skip
    reading = reading_of(found)
    assert reading is not None and reading.up and reading.health == "102 tried, 0 failed"
    assert reading.figures[Watched.ROUND_TRIP] == pytest.approx(95, rel=0.01)
    assert reading.figures[Watched.RESPONSE_TIME] == pytest.approx(20, rel=0.01)
    assert reading.figures[Watched.LOST_MESSAGES] == 0 == reading.figures[Watched.ERROR_RATE]


def test_a_message_that_is_lost_is_no_quick_one() -> None:
    """One that is lost was sent, and expected, in an earlier period; it took at least as long as it was waited for."""
    found = Measurements(10.0, {
        Series(DELIVERY, "chat"): Latency(Histogram(), histogram(5000)),
        Series(ACK, "join"): Latency(Histogram(), histogram(5)),
    }, deliveries={"delivery.lost": {"chat": (1, 0)}})  # fmt: skip
    reading = reading_of(found)
    assert reading is not None and reading.up is False and reading.figures[Watched.LOST_MESSAGES] == 1
    assert reading.figures[Watched.ROUND_TRIP] == pytest.approx(5000, rel=0.01)
    assert reading_of(Measurements(10.0)) is None


def test_a_plan_has_its_rate_and_its_members_in_one_club(tmp_path: Path) -> None:
    plan = plan_standing("chat", "http://shop.example.org/", 2, 30.0)
    profile = plan.profile
    assert (profile.users, profile.workers, profile.stack.clubs, profile.warmup) == (2, 1, 1, 0)
    assert profile.rate == pytest.approx(1 / 30) and plan.target == "http://shop.example.org"
    with pytest.raises(UsageError, match="nothing-like-that"):
        plan_standing("nothing-like-that", "http://127.0.0.1:1", 2, 30.0)
