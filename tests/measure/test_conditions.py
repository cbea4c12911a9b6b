"""The sentences of scaling conditions: what is printed reads back the same, and errors point at the word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.conditions import Condition, parse_condition
from dbz.config.grammar.watched import SCALABLE, SHARES, UNIT_OF, MetricUnit, Watched

NUMBERS = st.one_of(st.integers(0, 5000).map(float), st.floats(0, 5000, allow_subnormal=False))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    metric = draw(st.sampled_from(Watched))
    of_capacity = metric is Watched.CONNECTIONS and draw(st.booleans())
    number = draw(NUMBERS)
    limit = min(number, 100.0) / 100 if metric in SHARES else number / 100 if of_capacity else number
    window = draw(st.sampled_from([0, 1, 30, 60, 90, 300, 900, 3600, 86_400]))
    held = draw(st.integers(1, window)) if window and draw(st.booleans()) else window
    return Condition(
        metric, draw(st.sampled_from(["<", "<=", ">", ">="])), limit, of_capacity, float(held), float(window)
    )


@given(conditions())
def test_what_is_printed_reads_back_the_same(condition: Condition) -> None:
    assert parse_condition(str(condition)) == condition


@given(conditions(), st.booleans())
def test_case_and_spaces_do_not_matter(condition: Condition, upper: bool) -> None:
    text = str(condition)
    shown = text.upper() if upper else text.lower()
    if UNIT_OF[condition.metric] in (MetricUnit.TIME, MetricUnit.RATE):
        shown = text  # `ms` and `/s` are units, not words
    assert parse_condition(f"  {shown.replace(' ', '   ')} ") == condition


@given(conditions(), st.integers(1, 7200))
def test_samples_are_m_of_n(condition: Condition, period_s: int) -> None:
    needed, window = condition.samples(period_s)
    assert 1 <= needed <= window
    assert window * period_s >= condition.window_s > (window - 1) * period_s or window == 1


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_mark(text: str) -> None:
    try:
        parse_condition(text)
    except ValueError as error:
        message = str(error)
        assert message == "is empty" or (message.startswith("expected ") and message.rstrip().endswith("^"))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("CPU > 70% for 5 minutes", Condition(Watched.CPU, ">", 0.7, False, 300, 300)),
        ("Memory > 80% for 5 minutes", Condition(Watched.MEMORY, ">", 0.8, False, 300, 300)),
        ("Active connections > 80% capacity", Condition(Watched.CONNECTIONS, ">", 0.8, True)),
        ("connections>=80% of capacity", Condition(Watched.CONNECTIONS, ">=", 0.8, True)),
        ("Active connections > 800", Condition(Watched.CONNECTIONS, ">", 800)),
        ("CPU < 30% for 12 of 15 minutes", Condition(Watched.CPU, "<", 0.3, False, 720, 900)),
        ("response time > 2s for 90s", Condition(Watched.RESPONSE_TIME, ">", 2000, False, 90, 90)),
        ("error rate > 1%", Condition(Watched.ERROR_RATE, ">", 0.01)),
        ("requests > 6000/min for 1 hour", Condition(Watched.REQUESTS, ">", 100, False, 3600, 3600)),
        ("P95 response time > 1s", Condition(Watched.P95_RESPONSE_TIME, ">", 1000)),
        ("hit ratio < 50%", Condition(Watched.HIT_RATIO, "<", 0.5)),
        ("queue depth > 1000", Condition(Watched.QUEUE_DEPTH, ">", 1000)),
        ("shard skew > 1.5", Condition(Watched.SHARD_SKEW, ">", 1.5)),
        ("message round trip > 500ms", Condition(Watched.ROUND_TRIP, ">", 500)),
    ],
)
def test_the_sentences_of_the_documentation(text: str, parsed: Condition) -> None:
    assert parse_condition(text) == parsed


@pytest.mark.parametrize(
    ("text", "expected", "marked"),
    [
        ("CPU", "expected a comparison", ""),
        ("CPU = 70%", "expected a comparison", "="),
        ("CPU > much", "expected a number", "much"),
        ("CPU > 70", "expected '%'", ""),
        ("CPU > 170%", "expected at most 100 %", "170"),
        ("memry > 80%", "did you mean 'memory'?", "memry"),
        ("p96 response time > 1s", "did you mean 'p95 response time'?", "p96"),
        ("hit ratio < 5/s", "expected '%'", "/"),
        ("queue depth > 5%", "expected 'for'", "%"),
        ("Active conections > 8", "did you mean 'active connections'?", "Active"),
        ("connections > 80%", "expected 'capacity'", ""),
        ("CPU > 70% fro 5 minutes", "expected 'for'", "fro"),
        ("CPU > 70% for 5", "expected a unit", ""),
        ("CPU > 70% for 5 parsecs", "expected a unit", "parsecs"),
        ("CPU > 70% for 0 minutes", "expected more than 0", "0"),
        ("CPU > 70% for 6 of 5 minutes", "no more than the whole duration", "6"),
        ("CPU > 70% for 25 hours", "at most 24 hours", "25"),
        ("CPU > 70% for 5 minutes please", "expected nothing more", "please"),
        ("response time > 500", "expected 'ms' or 's'", ""),
        ("requests > 5", "expected '/s', '/min' or '/h'", ""),
    ],
)
def test_an_error_points_at_the_word(text: str, expected: str, marked: str) -> None:
    with pytest.raises(ValueError, match="expected ") as caught:
        parse_condition(text)
    message, shown, marks = str(caught.value).split("\n")
    assert expected in message
    under = shown[marks.index("^") : marks.index("^") + marks.count("^")]
    assert under == marked


def test_the_scaling_plan_follows_only_what_cloudwatch_has() -> None:
    assert parse_condition("error rate > 1%", SCALABLE).metric is Watched.ERROR_RATE
    with pytest.raises(ValueError, match=r"a metric that can be followed here \(CPU, memory.*, not 'p95'\n"):
        parse_condition("p95 response time > 1s", SCALABLE)
