"""When alerts begin and end, with a clock of the test's own: weeks take no time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.conditions import parse_condition
from dbz.monitor.rules.alerts import GAP_PERIODS, AlertEvent, AlertStanding, AlertState, AlertTracker, OutageTracker

PERIOD_S = 10.0
SLOW = parse_condition("response time > 1000ms for 1 minute")
FIRING, RESOLVED = AlertEvent.FIRING, AlertEvent.RESOLVED


def told(tracker: AlertTracker, values: list[float | None], start_s: float = PERIOD_S) -> list[tuple[int, AlertEvent]]:
    """The events of readings that come once a period, each with the number of its reading."""
    events = [tracker.update(start_s + number * PERIOD_S, value) for number, value in enumerate(values)]
    return [(number, event) for number, event in enumerate(events) if event]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2000.0] * 5, []),
        ([2000.0] * 6, [(5, FIRING)]),
        ([2000.0] * 20, [(5, FIRING)]),
        ([2000.0] * 5 + [10.0] + [2000.0] * 5, []),
        ([2000.0] * 6 + [10.0] * 6, [(5, FIRING)]),
        ([2000.0] * 6 + [10.0] * 7, [(5, FIRING), (12, RESOLVED)]),
        ([2000.0] * 6 + [10.0] * 6 + [2000.0] + [10.0] * 7, [(5, FIRING), (19, RESOLVED)]),
        ([2000.0] * 6 + [10.0, 2000.0] * 20, [(5, FIRING)]),
        ([2000.0] * 5 + [None] * 3 + [2000.0] * 6, [(13, FIRING)]),
        ([2000.0] * 6 + [None] * 100, [(5, FIRING)]),
        ([None] * 100, []),
        ([1000.0] * 100, []),
    ],
    ids=[
        "not long enough", "long enough", "once only", "a good one between", "kept firing", "over for a minute",
        "it comes back while kept firing", "flapping is one alert", "silence is for nothing", "silence ends nothing",
        "silence alone", "the limit itself",
    ],
)  # fmt: skip
def test_a_minute_of_slow_answers_is_one_alert(
    values: list[float | None], expected: list[tuple[int, AlertEvent]]
) -> None:
    assert told(AlertTracker(SLOW, PERIOD_S, keep_firing_s=60), values) == expected


def test_another_limit_can_say_when_it_is_over() -> None:
    over = parse_condition("response time < 500ms for 30 seconds")
    tracker = AlertTracker(SLOW, PERIOD_S, resolve=over)
    assert told(tracker, [2000.0] * 6 + [700.0] * 50 + [400.0] * 3) == [(5, FIRING), (58, RESOLVED)]


def test_what_was_before_a_gap_is_not_put_together_with_what_comes_after_it() -> None:
    tracker = AlertTracker(SLOW, PERIOD_S)
    assert told(tracker, [2000.0] * 5) == []
    slept_s = 5 * PERIOD_S + GAP_PERIODS * PERIOD_S + 1
    assert told(tracker, [2000.0] * 5, slept_s) == []
    assert told(tracker, [2000.0], slept_s + 5 * PERIOD_S) == [(0, FIRING)]


readings = st.lists(st.sampled_from([10.0, 2000.0, None]), max_size=60)
sentences = st.sampled_from(
    ["response time > 1000ms", "response time > 1000ms for 30 seconds", "response time > 1000ms for 2 of 4 minutes"]
)


@given(readings, sentences, st.sampled_from([0.0, 25.0, 60.0]))
def test_events_alternate_and_each_has_its_reason(values: list[float | None], text: str, keep_s: float) -> None:
    """An alert begins only on a bad reading with enough of them behind it, and ends only on a good one."""
    condition = parse_condition(text)
    held, window = condition.samples(PERIOD_S)
    events = told(AlertTracker(condition, PERIOD_S, keep_firing_s=keep_s), values)
    assert [event for _, event in events] == [FIRING, RESOLVED] * (len(events) // 2) + [FIRING] * (len(events) % 2)
    for number, event in events:
        if event is FIRING:
            behind = values[max(0, number - window + 1) : number + 1]
            assert values[number] == 2000.0 and sum(value == 2000.0 for value in behind) >= held
        else:
            assert values[number] == 10.0


@given(readings, st.integers(0, 60), sentences)
def test_a_restart_tells_no_alert_twice(values: list[float | None], cut: int, text: str) -> None:
    """Windows begin anew after a restart, so an alert may come later; one that is on is not told again."""
    first = AlertTracker(parse_condition(text), PERIOD_S, keep_firing_s=30)
    before = told(first, values[:cut])
    kept = AlertStanding.from_row(first.standing.to_row())
    second = AlertTracker(parse_condition(text), PERIOD_S, keep_firing_s=30, standing=kept)
    after = told(second, values[cut:], PERIOD_S * (1 + len(values[:cut])))
    events = [event for _, event in before + after]
    assert events == [FIRING, RESOLVED] * (len(events) // 2) + [FIRING] * (len(events) % 2)


def test_an_outage_is_told_once_it_has_lasted() -> None:
    tracker = OutageTracker(30.0)
    outs = [True, True, False, True, None, None, True, True, True, False, False]
    events = [tracker.update(number * PERIOD_S + 1, out) for number, out in enumerate(outs)]
    assert [(number, event) for number, event in enumerate(events) if event] == [(6, FIRING), (9, RESOLVED)]
    assert tracker.standing.state is AlertState.OK
