"""The base models of what a request carries: its query string, its body, and dates in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Body(BaseModel):
    """Base of request bodies: exact types, no unknown keys. An object never passes where a string belongs."""

    model_config = ConfigDict(strict=True, extra="forbid", str_strip_whitespace=True)


class Query(BaseModel):
    """Base of query strings; unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")


class Fields(Query):
    """`?fields=a,b` keeps only those fields of the answer."""

    fields: str | None = Field(default=None, max_length=500)


def _in_our_time(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("the date must be between 2000 and 2100")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""A date and time with its zone, in a range that every zone and store can express."""
