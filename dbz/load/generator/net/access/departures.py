"""What a user sends to a server over its network: it leaves this machine when it has travelled.

It may leave a little early or late, as rounds do. The answer makes up for that: it knows by how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent import socket as gsocket
from gevent.hub import get_hub

from dbz.load.generator.net.access.passage import Passage
from dbz.load.generator.net.access.rounds import EARLY_S, GRAIN_S, rounds
from dbz.load.generator.net.access.schedule import AccessLink

_WRITE = 2


class Departures:
    """One direction of a connection, from the user to the socket, which it closes in the end."""

    __slots__ = ("_awaited", "_call", "_passage", "_rounds", "_sock", "_socket", "_unsent", "_writer", "late_s")

    def __init__(self, sock: gsocket.socket, link: AccessLink) -> None:
        self._socket, self._sock = sock, sock._sock
        self._passage = Passage(link)
        self._rounds = rounds()
        self._awaited = False  # an alarm, or a server that does not take what has travelled already
        self._unsent = b""
        self._writer: Any = None
        self._call: Callable[[], None] | None = None
        self.late_s = 0.0
        """By how much what left last was late, if that may be made up for; less than nothing when it was early."""

    @property
    def full(self) -> bool:
        """Whether more is under way than the network holds."""
        return self._passage.size + len(self._unsent) >= self._passage.room

    def put(self, data: bytes) -> None:
        """Send bytes, however many."""
        if not data:
            return
        now_s = time.monotonic()
        if self._awaited:
            self._passage.put(now_s, data)
        elif self._passage.put_or_pass(now_s, data, now_s + EARLY_S):
            self._leave(data)
            self.late_s = now_s - self._passage.last_s
        else:
            self._set_alarm(now_s + EARLY_S)

    def end(self) -> None:
        """Close the socket when everything has left, and the word of it has travelled."""
        now_s = time.monotonic()
        self._call = None
        self._passage.end(now_s)
        self._set_alarm(now_s + EARLY_S)

    def when_free(self, call: Callable[[], None] | None) -> None:
        """Have the event loop call whenever something has left and there is room; None for no longer."""
        self._call = call

    def _set_alarm(self, until_s: float) -> None:
        """Be woken for what leaves next, or let it leave when that is so until then."""
        if self._awaited or not (self._passage.size or self._passage.ended):
            return
        due_s = self._passage.soon()
        if due_s <= until_s:
            self.ring(until_s)
        else:
            self._awaited = True
            self._rounds.set(due_s, self)

    def ring(self, now_s: float) -> None:
        """Let leave what has travelled, and come back when there is more."""
        self._awaited = False
        passage = self._passage
        data = passage.take(now_s)
        if data:
            self._leave(data)
            if not passage.size:
                self.late_s = min(time.monotonic() - passage.last_s, GRAIN_S)
            if self._call is not None and not self.full:
                self._call()
        elif data is not None:
            self._socket.close()
            return
        if not self._awaited and (passage.size or passage.ended):
            self._awaited = True
            self._rounds.set(passage.soon(), self)

    def _leave(self, data: bytes) -> None:
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(data)  # nobody is there to take it, which who reads will hear of
        if sent < len(data):
            self._awaited = True
            self._unsent = data[sent:]
            self._writer = get_hub().loop.io(self._socket.fileno(), _WRITE)
            self._writer.start(self._go_on)

    def _go_on(self) -> None:
        """The server takes more of what has travelled."""
        data, self._unsent = self._unsent, b""
        self._writer.stop()
        self._writer.close()
        self._awaited = False
        self._leave(data)
        self._set_alarm(time.monotonic() + EARLY_S)
