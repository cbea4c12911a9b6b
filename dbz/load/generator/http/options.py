"""What a scenario may ask of a single request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from dbz.load.generator.http.pool import Waits


class RequestOptions(TypedDict, total=False):
    """What a single request may ask for.

    `params` are added to the query; `json` is sent as JSON, a mapping as `data` as a form; `auth` is (user, password);
    `timeout` is for the whole request, or (connect, each wait for bytes), in seconds; `verify` is True, False or the
    path of a CA bundle; `conditional` overrules the client's; `expect_continue` asks before sending the body.
    """

    params: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    json: Any
    data: Any
    auth: tuple[str, str] | None
    cookies: Mapping[str, str] | None
    timeout: float | tuple[float, float] | None
    allow_redirects: bool
    verify: bool | str | None
    conditional: bool | None
    expect_continue: bool


@dataclass(slots=True)
class RequestTerms:
    """What holds for a request and for the redirects that follow it."""

    deadline_s: float
    """When the whole request must have ended, on the monotonic clock."""
    waits: Waits
    verify: bool | str
    """Whether certificates are verified, or the path of the CA bundle to verify them with."""
    conditional: bool = False
    """Whether to ask only for what has changed."""
    expect_continue: bool = False
    """Whether to ask before sending a body."""
