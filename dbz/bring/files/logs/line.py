"""What a line of any access log comes to, and what their formats have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from dbz.bring.recording import Exchange

COMMON_TIME = "%d/%b/%Y:%H:%M:%S %z"
UNKNOWN = ("", "-")
"""What logs write where they have nothing."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, and whose it is."""

    exchange: Exchange
    user: str = ""
    """Who was signed in, as the log calls them; empty where it does not say."""
    agent: str = ""
    """The program that asked, as it calls itself."""

    @property
    def visitor(self) -> str:
        """What tells visitors apart: the user, or else the address with the program."""
        return f"user {self.user}" if self.user else f"{self.exchange.source} {self.agent}"


@lru_cache(4096)
def time_s(text: str) -> float:
    """Seconds since 1970 of a time, as ISO 8601 or Apache write it; `ValueError` for any other text.

    Lines beside each other are mostly of the same second.
    """
    moment = datetime.strptime(text, COMMON_TIME) if "/" in text else datetime.fromisoformat(text)
    return moment.timestamp()


def said(text: str) -> str:
    """What a field says; empty where it is only the sign for nothing."""
    return "" if text in UNKNOWN else text


def without_port(address: str) -> str:
    """The host of an address, with or without its port; of IPv6 only one in brackets has a port."""
    host, colon, port = address.rpartition(":")
    return host if colon and port.isdigit() and (":" not in host or host.endswith("]")) else address
