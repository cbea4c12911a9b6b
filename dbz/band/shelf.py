"""Rows in the order of their last change, given out in pages: what changes while somebody pages is met again later."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

Row = dict[str, Any]


class CursorError(ValueError):
    """A cursor that no page has given out."""


class RisingClock:
    """Milliseconds since 1970 that rise with every look, so that no two changes share one."""

    def __init__(self, start_ms: int) -> None:
        self._last_ms = start_ms

    def now(self) -> int:
        """A moment later than all before it."""
        self._last_ms = max(time.time_ns() // 1_000_000, self._last_ms + 1)
        return self._last_ms

    def seeded(self) -> int:
        """The next millisecond of made-up history."""
        self._last_ms += 1
        return self._last_ms


@dataclass
class Shelf:
    """Rows by key, each with `updated_at`. A removed row stays as {key, updated_at, removed}."""

    key_name: str
    """The field that holds the key of a row."""
    rows: dict[str, Row] = field(default_factory=dict)
    """In the order of `updated_at`, because what changes is put at the end."""

    def put(self, row: Row, at_ms: int) -> None:
        """Add a row, or change it; `at_ms` must be later than every earlier change."""
        key = row[self.key_name]
        self.rows.pop(key, None)
        self.rows[key] = {**row, "updated_at": at_ms}

    def remove(self, key: str, at_ms: int) -> None:
        """Leave nothing of a row but that it was removed."""
        self.put({self.key_name: key, "removed": True}, at_ms)

    def living(self) -> dict[str, Row]:
        """The rows that were not removed."""
        return {key: row for key, row in self.rows.items() if not row.get("removed")}

    def page(self, *, since_ms: int | None, after: str | None, limit: int) -> tuple[list[Row], str | None]:
        """At most `limit` rows, and the cursor behind them, None at the end.

        Without `since_ms` the rows that there are; with it those changed then or later, removed ones among them.
        `CursorError` for a cursor of nobody's making.
        """
        behind = read_cursor(after) if after else (-1, "")
        found = self._from(since_ms, behind)
        items = [row for _, row in zip(range(limit), found, strict=False)]
        more = next(found, None) is not None
        return items, cursor(items[-1]["updated_at"], items[-1][self.key_name]) if more else None

    def _from(self, since_ms: int | None, behind: tuple[int, str]) -> Iterator[Row]:
        for key, row in self.rows.items():
            if (row["updated_at"], key) <= behind:
                continue
            if row["updated_at"] >= since_ms if since_ms is not None else not row.get("removed"):
                yield row


def cursor(updated_at: int, key: str) -> str:
    """The opaque text of a place between rows."""
    return base64.urlsafe_b64encode(orjson.dumps([updated_at, key])).decode().rstrip("=")


def read_cursor(text: str) -> tuple[int, str]:
    """The place that a cursor means; `CursorError` when it means none."""
    try:
        updated_at, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if type(updated_at) is not int or type(key) is not str:
            raise CursorError(text)
    except (ValueError, TypeError, binascii.Error):
        raise CursorError(text) from None
    return updated_at, key
