"""Options whose texts mean a value."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.units import parse_percent


def share_option(option: str, text: str) -> float:
    """The share that an option names, such as `5%`; `UsageError` names the option."""
    try:
        return parse_percent(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def address_option(option: str, text: str) -> tuple[str, int]:
    """The host and port of `127.0.0.1:9464`; `UsageError` names the option."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{option}: '{text}' is not an address; write for example 127.0.0.1:9464")
    return host.strip("[]"), int(port)
