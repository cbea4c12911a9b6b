"""The sentences of target tracking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.grammar.target_tracking import Target, parse_target
from dbz.config.grammar.watched import Watched

SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


@given(
    st.one_of(
        st.builds(Target, st.sampled_from([Watched.CPU, Watched.MEMORY, Watched.CONNECTIONS]), SHARES),
        st.builds(Target, st.just(Watched.REQUESTS), st.integers(1, 6_000_000).map(lambda a_minute: a_minute / 60)),
    )
)
def test_every_target_is_read_back_from_its_own_sentence(target: Target) -> None:
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    ("text", "metric", "value"),
    [
        ("CPU at 60%", Watched.CPU, 0.6),
        ("  memory AT 75 % ", Watched.MEMORY, 0.75),
        ("connections at 60% of capacity", Watched.CONNECTIONS, 0.6),
        ("requests at 600/min per task", Watched.REQUESTS, 10.0),
        ("Requests at 10/s per server", Watched.REQUESTS, 10.0),
    ],
)
def test_what_a_sentence_says(text: str, metric: Watched, value: float) -> None:
    assert parse_target(text) == Target(metric, value)


@pytest.mark.parametrize(
    ("text", "wanted", "marked"),
    [
        ("CPU > 60%", "expected 'at' and where it is to be kept, not '>'", ">"),
        ("CPU at 60", "expected '%': CPU is a percentage, but it ends there", ""),
        ("response time at 200ms", "only a load by server can be kept", "response"),
        ("requests at 600/min", "expected 'per task', but it ends there", ""),
        ("requests at 600/min per club", "expected 'task', not 'club'", "club"),
        ("connections at 60%", "expected 'capacity', but it ends there", ""),
        ("CPU at 60% for 5 minutes", "or nothing more, not 'for'", "for"),
        ("CPU at 0%", "nothing can be kept at zero", ""),
        ("load at 3", "expected a metric", "load"),
    ],
)
def test_what_is_wrong_is_marked(text: str, wanted: str, marked: str) -> None:
    with pytest.raises(ValueError, match=r"expected|nothing can be kept") as caught:
        parse_target(text)
    message = str(caught.value)
    assert wanted in message
    if marked:
        sentence, marks = message.splitlines()[1:]
        assert sentence[marks.index("^") : len(marks)] == marked
