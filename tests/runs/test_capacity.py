"""`capacity.json` on disk."""

from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.runs.capacity import CAPACITY_FILE, load_capacity
from tests.runs.capacities import searched


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    found = searched()
    found.save(tmp_path)
    assert load_capacity(tmp_path) == load_capacity(tmp_path / CAPACITY_FILE) == found
    assert '"schema": "dbz.capacity/1"' in (tmp_path / CAPACITY_FILE).read_text()
    assert '"lambda"' in (tmp_path / CAPACITY_FILE).read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"schema": "dbz.run/1"}', "schema is 'dbz.run/1'"),
        ('{"schema": "dbz.capacity/1"}', "is damaged: id"),
    ],
)
def test_anything_else_is_refused_with_a_reason(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / CAPACITY_FILE).write_text(text)
    with pytest.raises(UsageError, match=message):
        load_capacity(tmp_path)
