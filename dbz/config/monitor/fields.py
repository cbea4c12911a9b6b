"""Kinds of values that several parts of the file have: names, URLs."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

NAME = re.compile(r"[A-Za-z][\w-]{0,39}", re.ASCII)
"""Of a service, a channel or another thing that is watched."""


def named(pattern: re.Pattern[str], example: str) -> AfterValidator:
    """A check that a text is a name; `ValueError` with an example when it is not."""

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"'{text}' is not a name; write for example {example}")
        return text

    return AfterValidator(check)


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("it should be a URL that begins with http:// or https://")  # it may be a secret: not shown
    return text


HttpUrl = Annotated[str, AfterValidator(_http_url)]
