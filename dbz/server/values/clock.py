"""Points in time as the API writes them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any


def utc_now() -> datetime:
    """Now, in UTC, with the precision of milliseconds that the document store keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def now_ms() -> int:
    """Milliseconds since 1970, as real-time events carry them."""
    return time.time_ns() // 1_000_000


def iso(moment: Any) -> str | None:
    """`2026-11-23T06:34:00.000Z` for a datetime (naive ones are UTC), None for None."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
