"""Hours in which clubs may be moved."""

from datetime import UTC, datetime

import pytest

from dbz.shards.move.pace import parse_window


@pytest.mark.parametrize(
    ("text", "hour", "open_"),
    [
        ("01:00-05:00", 1, True),
        ("01:00-05:00", 5, False),
        ("01:00-05:00", 0, False),
        ("22:30-02:00", 23, True),
        ("22:30-02:00", 1, True),
        ("22:30-02:00", 12, False),
    ],
)
def test_windows_also_over_midnight(text: str, hour: int, open_: bool) -> None:
    assert parse_window(text, lambda: datetime(2026, 1, 1, hour, tzinfo=UTC))() == open_


@pytest.mark.parametrize("text", ["1-5", "25:00-26:00", "01:00", "01:00-01:00"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_window(text)
