"""A route as data: from it come the dispatch, the validation and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from dbz.server.http.reply import Raw, Reply

if TYPE_CHECKING:
    from dbz.server.http.call import Call

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

Handler = Callable[["Call"], Awaitable[Reply | Raw]]


class Body(BaseModel):
    """Base of request bodies: exact types, no unknown keys. An object never passes where a string belongs."""

    model_config = ConfigDict(strict=True, extra="forbid", str_strip_whitespace=True)


def _in_our_time(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("the date must be between 2000 and 2100")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""A date and time with its zone, in a range that every zone and store can express."""


class Query(BaseModel):
    """Base of query strings; unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True)
class Route:
    """One method on one path. `answers` maps the status codes of success to the schema of the JSON answer."""

    method: str
    path: str
    handler: Handler
    summary: str
    query: type[Query] = Query
    body: type[Body] | None = None
    public: bool = False
    cacheable: bool = True
    answers: dict[int, Any] = field(default_factory=lambda: {200: {"type": "object"}})
    refusals: tuple[int, ...] = ()
