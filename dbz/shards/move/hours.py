"""Hours of the day in which clubs may be moved."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)").fullmatch


def parse_window(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Callable[[], bool]:
    """Whether it is `01:00-05:00`, in UTC; the window may go over midnight. `ValueError` for other texts."""
    match = _FORM(text.replace(" ", ""))
    if not match:
        raise ValueError(f"'{text}' is not a window; write for example 01:00-05:00 (UTC)")
    begin, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if begin == end:
        raise ValueError(f"'{text}' begins when it ends; leave it out to work at any time")

    def is_open() -> bool:
        moment = now().time()
        return begin <= moment < end if begin < end else moment >= begin or moment < end

    return is_open
