"""Which kind of thing a key stands for."""

from __future__ import annotations


def family(key: str) -> str:
    """The part of a key before its first colon; of `query:` keys the part before the second."""
    at = key.find(":", 6) if key.startswith("query:") else key.find(":")
    return key[:at] if at > 0 else key
