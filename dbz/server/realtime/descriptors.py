"""TCP connections of this process that somebody else in it has accepted, by the address of their client."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

_OPEN_ONES = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
_BEFORE, _BEHIND = 16, 256
"""How far around the last find the next one is looked for first: systems give new files the lowest free number."""
_APART_FROM = 65_536
"""Duplicates get numbers from here on, or from the middle of those that there may be: out of the way of the search."""


class Descriptors:
    """Finds connections, and duplicates them; a duplicate stays open whatever becomes of the connection's first owner.

    `most_files` is how many files this process may have open.
    """

    def __init__(self, most_files: int) -> None:
        self._apart_from = min(most_files // 2, _APART_FROM)
        self._last = 0

    def duplicate(self, client: tuple[str, int], port: int) -> tuple[socket.socket, int] | None:
        """The connection of `client` to `port` of this machine, with the number of the one that it duplicates."""
        for number in self._candidates():
            if is_connection(number, client, port):
                self._last = number
                try:
                    copy = socket.socket(fileno=fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, self._apart_from))
                except OSError:
                    return None  # it has just ended, or there are no more numbers
                return copy, number
        return None

    def _candidates(self) -> Iterator[int]:
        near = range(max(0, self._last - _BEFORE), self._last + _BEHIND)
        yield from near
        numbers = (int(entry.name) for entry in Path(_OPEN_ONES).iterdir())
        yield from (number for number in numbers if number not in near)


def is_connection(number: int, client: tuple[str, int], port: int) -> bool:
    """Whether the open file with this number is the connection of `client` to `port` of this machine."""
    try:
        probe = socket.socket(fileno=number)
    except OSError:
        return False  # not open, or no socket
    try:
        host, client_port, *_ = probe.getpeername()
        return (
            client_port == client[1]
            and probe.getsockname()[1] == port
            and ipaddress.ip_address(host) == ipaddress.ip_address(client[0])
        )
    except (OSError, ValueError):
        return False  # not connected, or of another family
    finally:
        probe.detach()  # it is somebody else's
