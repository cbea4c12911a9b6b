"""Figures and their values as people read them."""

from __future__ import annotations

from datetime import datetime

from dbz.config.grammar.watched import Watched, value_text
from dbz.units import format_bytes, format_ms, format_number

MEMORY = "memory_bytes"
"""What the store calls the memory of a target."""


def figure_name(key: str) -> str:
    """What a figure is called in a sentence."""
    return "memory" if key == MEMORY else key.removesuffix("_ms").removesuffix("_bytes").replace("_", " ")


def figure_text(key: str, value: float) -> str:
    """A value of a figure with its unit."""
    if key in list(Watched):
        return value_text(Watched(key), value)
    if key.endswith("_bytes"):
        return format_bytes(value)
    return format_ms(value) if key.endswith("_ms") else format_number(value)


def moment_text(at_s: float) -> str:
    """A time by the clock of this machine, to the minute."""
    return f"{datetime.fromtimestamp(at_s):%Y-%m-%d %H:%M}"


def until_text(days: float, low: float | None, high: float | None) -> str:
    """After how long something is reached, with its interval: in hours when it is a matter of hours."""
    scale, unit = (24.0, "hours") if days < 2 else (1.0, "days")
    ends = ["never" if each is None else f"{each * scale:.3g}" for each in (low, high)]
    return f"in {days * scale:.3g} {unit} ({ends[0]} to {ends[1]})"
