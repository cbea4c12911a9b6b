"""Kinds of values that several parts of the file have: names, URLs, severities, labels."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args
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

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
ALERT_KEYS = ("severity", "type", "target")
"""What every alert has besides its labels; no label may be called so."""
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


def _label_names(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if not _LABEL.fullmatch(name):
            raise ValueError(f"'{name}' is not a name of a label; write for example team")
        if name in ALERT_KEYS:
            raise ValueError(f"every alert has a {name} of its own; choose another name for this label")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_label_names)]
"""Names and values that say more of an alert, such as whose it is: `{team: chat}`."""
