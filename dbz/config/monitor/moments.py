"""Moments of a test or of a recording: since its start, or by the clock of a zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from dbz.units import parse_duration

_DAY_AND_TIME = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{2}:\d{2}(?::\d{2})?)")


def _local_time(text: str) -> str:
    match = _DAY_AND_TIME.fullmatch(text)
    if match is None or match[1] is None:
        raise ValueError(f"'{text}' is not a local time; write for example '2026-11-29 21:00', in quotes")
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no time that a clock shows: {error}") from error
    return text


def _moment(text: str) -> str:
    if _DAY_AND_TIME.fullmatch(text):
        try:
            datetime.fromisoformat(text if len(text) > 8 else f"2026-01-01 {text}")
        except ValueError as error:
            raise ValueError(f"'{text}' is no time that a clock shows: {error}") from error
        return text
    try:
        parse_duration(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is not a moment; write for example 90s or '22:05', in quotes") from error
    return text


LocalTime = Annotated[str, AfterValidator(_local_time)]
Moment = Annotated[str, AfterValidator(_moment)]
"""A duration since the start, or a time of day or a local time of the test's zone."""


def seconds_of(moment: Moment, start: datetime) -> float:
    """How many seconds a moment is after the start of a test; a time of day is the first one from there on."""
    match = _DAY_AND_TIME.fullmatch(moment)
    if match is None:
        return parse_duration(moment)
    if match[1] is not None:
        return datetime.fromisoformat(moment).replace(tzinfo=start.tzinfo).timestamp() - start.timestamp()
    clock = datetime.fromisoformat(f"2026-01-01 {match[2]}").time()
    day = start.date() if clock >= start.time().replace(microsecond=0) else start.date() + timedelta(days=1)
    return datetime.combine(day, clock, start.tzinfo).timestamp() - start.timestamp()
