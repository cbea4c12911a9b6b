"""Options that are percentages."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.units import parse_percent


def share_option(option: str, text: str) -> float:
    """The share that an option names, such as `5%`; `UsageError` names the option."""
    try:
        return parse_percent(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
