"""Moments as people read them."""

from __future__ import annotations

from datetime import datetime


def stamp(at_s: float) -> str:
    """A moment in seconds since the epoch by this machine's clock; empty for 0, which is none."""
    return f"{datetime.fromtimestamp(at_s):%Y-%m-%d %H:%M:%S}" if at_s else ""
