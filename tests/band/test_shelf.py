"""Paging by cursor while rows come, change and go."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.band.shelf import CursorError, Shelf, cursor, read_cursor

KEYS = st.sampled_from(string.ascii_lowercase)
CHANGE = st.tuples(st.sampled_from(["put", "remove"]), KEYS)


def _apply(shelf: Shelf, change: tuple[str, str], at_ms: int) -> None:
    if change[0] == "put":
        shelf.put({"key": change[1]}, at_ms)
    elif change[1] in shelf.living():
        shelf.remove(change[1], at_ms)


def _take(copy: dict[str, int], items: list[dict[str, Any]]) -> None:
    """What one who follows does with a page."""
    for row in items:
        copy.pop(row["key"], None)
        if not row.get("removed"):
            copy[row["key"]] = row["updated_at"]


@given(
    start=st.lists(KEYS, unique=True), rounds=st.lists(st.lists(CHANGE, max_size=4), max_size=12),
    limit=st.integers(1, 7), incremental=st.booleans(),
)  # fmt: skip
def test_nothing_that_stays_is_missed_whatever_changes_between_pages(
    start: list[str], rounds: list[list[tuple[str, str]]], limit: int, incremental: bool
) -> None:
    """What was there all the time is met; and following changes from where it began ends at the truth."""
    shelf, now = Shelf("key"), 0
    for key in start:
        now += 1
        shelf.put({"key": key}, now)
    always, copy = set(start), dict[str, int]()
    after, pages, began_ms, waiting = None, 0, now, iter(rounds)
    while True:
        items, after = shelf.page(since_ms=0 if incremental else None, after=after, limit=limit)
        pages += 1
        _take(copy, items)
        if after is None:
            break
        for change in next(waiting, []):
            now += 1
            _apply(shelf, change, now)
            always &= shelf.living().keys()
    assert always <= copy.keys()
    after = None
    while True:  # what changed meanwhile
        items, after = shelf.page(since_ms=began_ms, after=after, limit=limit)
        _take(copy, items)
        if after is None:
            break
    assert copy == {key: row["updated_at"] for key, row in shelf.living().items()}


@given(st.integers(0, 2**62), st.text(max_size=40))
def test_a_cursor_is_read_as_it_was_written(updated_at: int, key: str) -> None:
    """And is made of characters that need no escaping in a URL."""
    text = cursor(updated_at, key)
    assert read_cursor(text) == (updated_at, key)
    assert set(text) <= {*string.ascii_letters, *string.digits, "-", "_"}


@given(st.one_of(st.text(max_size=30), st.sampled_from(["W10", "WzEsMl0", "bnVsbA", "WyJhIiwiYiJd", "W3RydWUsIngiXQ"])))
def test_other_texts_are_no_cursors(text: str) -> None:
    """They are refused, and nothing else is raised."""
    try:
        place = read_cursor(text)
    except CursorError:
        return
    assert type(place[0]) is int and type(place[1]) is str


def test_known_bad_cursors_are_refused() -> None:
    """Lists of the wrong length and of the wrong types."""
    for text in ("W10", "WzEsMl0", "bnVsbA", "WyJhIiwiYiJd", "W3RydWUsIngiXQ", "é", "\ud800"):
        with pytest.raises(CursorError):
            read_cursor(text)
