"""The common and combined formats of Apache and nginx, with whatever stands before them: a virtual host, the chain of
proxies, the name that syslog or a container's log puts in front."""

from __future__ import annotations

import re

from dbz.bring.files.logs.line import LogLine, said, time_s
from dbz.bring.recording import Exchange

_LINE = re.compile(
    r'(?P<who>.+?) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<url>\S+)(?: HTTP/[\d.]+)?" '
    r'(?P<status>\d{3}) (?:\d+|-)(?: "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)")?'
)
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|(?=.*:.*:)[0-9a-fA-F:.]+")
"""An address of IPv4 or IPv6, and no port and no time of day."""
_FEWEST = 3
"""The address, who `ident` says it is, and the user."""


def common_line(line: str) -> LogLine | None:
    """The request of a line; None when it is of another format."""
    match = _LINE.match(line)
    if match is None:
        return None
    words = match["who"].split(" ")
    at = _client_at(words)
    exchange = Exchange(
        match["method"],
        match["url"],
        status=int(match["status"]),
        started_s=time_s(match["time"]),
        source=_first_of_chain(words, at),
    )
    return LogLine(exchange, said(" ".join(words[at + 2 :])), said(match["agent"] or ""))


def _client_at(words: list[str]) -> int:
    """Which word is the client: the last address before the two words on the user, or else the first word."""
    if len(words) == _FEWEST:
        return 0
    addresses = (at for at in range(len(words) - _FEWEST, -1, -1) if _ADDRESS.fullmatch(words[at].rstrip(",")))
    return next(addresses, 0)


def _first_of_chain(words: list[str], at: int) -> str:
    """The client of `client, proxy, proxy`, as X-Forwarded-For has them."""
    while at and words[at - 1].endswith(","):
        at -= 1
    return words[at].rstrip(",")
