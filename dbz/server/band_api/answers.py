"""From an answer of Band to data, or to the error that it means. Nothing that Band sends is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbz.server.band_api.errors import (
    BandError,
    BandRefusedError,
    BandThrottledError,
    BandUnauthorizedError,
    BandUnavailableError,
)
from dbz.server.outside import json_object, retry_after_s

_COOL_DOWN, _UNAUTHORIZED = 1003, 10401
_QUOTAS = (1001, 1002)
_SERVER = 2300
_COOL_DOWN_S, _QUOTA_S = 5.0, 600.0


def data_of(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The `result_data` of a success; else the `BandError` that status and result code mean."""
    answer = json_object(body)
    code = answer.get("result_code")
    if status == 200 and code == 1 and type(code) is int:
        data = answer.get("result_data")
        if not isinstance(data, dict):
            raise BandUnavailableError("Band sent an answer without data")
        return data
    if status < 400 and (type(code) is not int or code == 1):
        raise BandUnavailableError("Band sent something that is not an answer of its API")
    raise _error(status, code if type(code) is int else 0, headers)


def tokens_of(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The answer of the token endpoint; `BandUnauthorizedError` for a grant that Band does not take (any more)."""
    answer = json_object(body)
    if status == 200 and isinstance(answer.get("access_token"), str) and answer["access_token"]:
        return answer
    if status in (400, 401) and answer.get("error") == "invalid_grant":
        raise BandUnauthorizedError("Band does not accept the grant")
    if status in (400, 401) and isinstance(answer.get("error"), str):
        raise BandRefusedError("Band does not accept this app's request for tokens")
    if status < 400:
        raise BandUnavailableError("Band sent something that holds no tokens")
    raise _error(status, 0, headers)


def _error(status: int, code: int, headers: Mapping[str, str]) -> BandError:
    if status == 429 or code == _COOL_DOWN:
        return BandThrottledError(retry_after_s(headers.get("retry-after"), _COOL_DOWN_S))
    if code in _QUOTAS:
        return BandThrottledError(retry_after_s(headers.get("retry-after"), _QUOTA_S))
    if status == 401 or code == _UNAUTHORIZED:
        return BandUnauthorizedError("Band does not take the access token")
    if status >= 500 or code == _SERVER:
        return BandUnavailableError(f"Band failed (status {status}, result code {code})")
    return BandRefusedError(f"Band refused (status {status}, result code {code})")
