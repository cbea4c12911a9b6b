"""What an e-mail address may look like."""

from __future__ import annotations

import re

_LONGEST_ADDRESS = 254
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Whether this is an e-mail address without anything around it, as HTML forms take it."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def checked_address(text: str) -> str:
    """`text`, or ValueError when it is no address."""
    if not is_address(text):
        raise ValueError("must be an e-mail address, like minji@example.com")
    return text
