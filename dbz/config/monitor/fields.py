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


def _url_of(schemes: tuple[str, ...]) -> AfterValidator:
    """A check that a text is a URL of one of these schemes, which does not show it: it may hold a secret."""

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            sound = parts.scheme in schemes and bool(parts.hostname or parts.scheme == "unix")
            if parts.scheme != "mongodb":  # of which a URI may name several hosts
                sound = sound and (parts.port is None or parts.port > 0)
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(f"it should be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return text

    return AfterValidator(check)


HttpUrl = Annotated[str, _url_of(("http", "https"))]
RedisUrl = Annotated[str, _url_of(("redis", "rediss", "unix"))]
MongoUri = Annotated[str, _url_of(("mongodb", "mongodb+srv"))]
