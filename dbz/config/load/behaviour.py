"""Where people go in an app, schema `dbz.behaviour/1`: what may stand in such a file.

The generator, which has no models, reads it by hand in `dbz.load.generator.phone.behaviour`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dbz.config.source.model import Duration, Parsed, Percent, Strict
from dbz.units import PERCENT_PATTERN

Share = Annotated[str, Field(pattern=PERCENT_PATTERN)]
Pause = Duration | Annotated[list[Duration], Field(min_length=2, max_length=2)] | dict[Share, Duration]
"""A time; the shortest and the longest, with all between equally likely; or quantiles from `0%` to `100%`."""


class ScreenEntry(Strict):
    """One screen of an app, or one operation of a service."""

    think: Pause = Parsed(0)
    """How long people stay: `3s`, `[3s, 9s]` evenly between the two, or quantiles `{0%: 1s, 50%: 3s, 100%: 20s}`."""
    next: dict[str, Percent] = Field(min_length=1)
    """Where they go then, by their shares, which add up to 100 %; `end` is the end of a visit."""


class BehaviourFile(Strict):
    """What visitors do: a Markov chain of screens, as `dbz import --model` learns it from a log."""

    schema_: Literal["dbz.behaviour/1"] = Field(alias="schema")
    start: str | dict[str, Percent] = ""
    """Where visits begin: a screen, or screens by their shares; the first one in the file unless told otherwise."""
    between: Pause = Parsed(0)
    """From the end of a visit to the same user's next one, written like `think`."""
    screens: dict[str, ScreenEntry] = Field(min_length=1)
    """{screen: how long people stay, and where they go then}"""
