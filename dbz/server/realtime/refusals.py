"""Refusals of events."""

from __future__ import annotations

from pydantic import ValidationError

from dbz.server.http.errors import ApiError


def refusal_of(error: ValidationError, event: str) -> ApiError:
    """What is wrong with the payload of `event`, in words."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or event
    return ApiError(422, "invalid", f"{where}: {first['msg']}")
