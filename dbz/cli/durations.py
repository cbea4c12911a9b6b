"""Durations given as options."""

from __future__ import annotations

from dbz.errors import UsageError


def seconds(option: str, text: str) -> float:
    """The seconds of a duration that is more than none; `UsageError` names the option."""
    from dbz.units import parse_duration

    try:
        value = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    if value <= 0:
        raise UsageError(f"{option}: {text} is no time at all; write for example 2s")
    return value
