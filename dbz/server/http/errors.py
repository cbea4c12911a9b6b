"""Refusals, as the API words them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Ends a request with `status` and a JSON body {"error": {"code", "message", …}}."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": {"code": self.code, "message": self.message, **self.details}}


def not_found(what: str) -> ApiError:
    """404; also the answer for things of another club, whose existence is nobody's business."""
    return ApiError(404, "not_found", f"there is no such {what}")


def forbidden(message: str) -> ApiError:
    """403 for something that the reader may see but not do."""
    return ApiError(403, "forbidden", message)


def rate_limited(message: str, retry_after_s: int) -> ApiError:
    """429: too much of something that is right by itself."""
    return ApiError(429, "rate_limited", message, retry_after_s=retry_after_s)


def conflict(code: str, message: str) -> ApiError:
    """409: the state of the thing does not allow this."""
    return ApiError(409, code, message)
