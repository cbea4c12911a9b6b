"""Answers of the API: an envelope with a result code, as Band documents them."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

INVALID, INSUFFICIENT, COOL_DOWN, SERVER, UNAUTHORIZED, NOT_A_MEMBER = 211, 212, 1003, 2300, 10401, 60102
_TEXTS = {
    INVALID: (400, "Invalid Parameters"),
    INSUFFICIENT: (400, "Insufficient Parameters"),
    COOL_DOWN: (429, "Cool down time restriction"),
    SERVER: (500, "Invalid response"),
    UNAUTHORIZED: (401, "Unauthorized"),
    NOT_A_MEMBER: (403, "Not Band member"),
}


class RefusalError(Exception):
    """An answer with a result code that is not success."""

    def __init__(self, code: int, retry_after_s: int | None = None) -> None:
        super().__init__(_TEXTS[code][1])
        self.code = code
        self.retry_after_s = retry_after_s

    def response(self) -> Response:
        """The answer."""
        status, message = _TEXTS[self.code]
        headers = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        data = {"message": message, "detail": {}}
        return json_response({"result_code": self.code, "result_data": data}, status, headers)


def success(data: Any) -> Response:
    """An answer with data."""
    return json_response({"result_code": 1, "result_data": data})


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON that nobody keeps."""
    kept = {"cache-control": "no-store", **(headers or {})}
    return Response(orjson.dumps(body), status, kept, "application/json")
