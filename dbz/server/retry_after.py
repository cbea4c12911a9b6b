"""How long somebody outside wants to be left alone."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime

_LONGEST_S = 86_400.0


def retry_after_s(header: str | None, default_s: float) -> float:
    """The seconds that a Retry-After asks for (RFC 9110 section 10.2.3), never more than a day."""
    seconds = default_s
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:9])
    elif text:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            seconds = default_s
    return min(max(seconds, 0.0), _LONGEST_S) if math.isfinite(seconds) else default_s
