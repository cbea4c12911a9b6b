"""A route as data: from it come the dispatch, the validation and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dbz.server.http.call import Call
from dbz.server.http.models import Body, Query
from dbz.server.http.reply import Raw, Repeated, Reply, Stream

Handler = Callable[[Call], Awaitable[Reply | Repeated | Raw | Stream]]


@dataclass(frozen=True)
class Route:
    """One method on one path."""

    method: str
    path: str
    """With parameters in braces: `/api/posts/{post_id}`."""
    handler: Handler
    summary: str
    """What the OpenAPI document says of it."""
    query: type[Query] = Query
    body: type[Body] | None = None
    """None for a route whose body is not read."""
    uploads: tuple[str, ...] = ()
    """Media types of a body that is a file; its handler reads it."""
    public: bool = False
    """Whether it answers without an access token."""
    cacheable: bool = True
    """Whether a GET gets an ETag and may be kept by its reader."""
    answers: dict[int, Any] = field(default_factory=lambda: {200: {"type": "object"}})
    """Status code of each success: the schema of its JSON, None for an answer that is not JSON."""
    media_types: tuple[str, ...] = ("text/plain",)
    """What an answer that is not JSON may be."""
    refusals: tuple[int, ...] = ()
    """Status codes beside those that every route may refuse with."""
