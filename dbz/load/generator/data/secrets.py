"""Secrets of a scenario: taken from the environment, and kept out of everything that is written."""

from __future__ import annotations

import os

from dbz.errors import UsageError

_SHORTEST_MASKED = 3
"""Masking shorter texts would tear holes into every word."""
_names: dict[str, str] = {}  # by value, the longest first


def secret(name: str) -> str:
    """The environment variable `name`; no output shows its value. `UsageError` when it is unset or empty."""
    value = os.environ.get(name, "")
    if not value:
        state = "empty" if name in os.environ else "unset"
        raise UsageError(f"the scenario needs the environment variable {name}, which is {state}", code="E010")
    if len(value) >= _SHORTEST_MASKED:
        _names[value] = name
        for known in sorted(_names, key=len, reverse=True):  # a secret may hold another one
            _names[known] = _names.pop(known)
    return value


def masked(text: str) -> str:
    """The text with `<NAME>` in place of every secret that the scenario asked for."""
    for value, name in _names.items():
        if value in text:
            text = text.replace(value, f"<{name}>")
    return text
