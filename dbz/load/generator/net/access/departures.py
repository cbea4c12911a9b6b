"""What a user sends to a server over its network: it leaves this machine when it has travelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent import socket as gsocket
from gevent.hub import get_hub

from dbz.load.generator.net.access.alarms import alarms
from dbz.load.generator.net.access.passage import EARLY_S, Passage
from dbz.load.generator.net.access.schedule import AccessLink

_WRITE = 2


class Departures:
    """One direction of a connection, from the user to the socket, which it closes in the end."""

    __slots__ = ("_alarms", "_awaited", "_call", "_passage", "_sock", "_socket", "_unsent", "_writer")

    def __init__(self, sock: gsocket.socket, link: AccessLink) -> None:
        self._socket, self._sock = sock, sock._sock
        self._passage = Passage(link)
        self._alarms = alarms()
        self._awaited = False  # an alarm, or a server that does not take what has travelled already
        self._unsent = b""
        self._writer: Any = None
        self._call: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        """Whether more is under way than the network holds."""
        return self._passage.size + len(self._unsent) >= self._passage.room

    def put(self, data: bytes) -> None:
        """Send bytes, however many."""
        if data:
            now_s = time.monotonic()
            self._passage.put(now_s, data)
            self._set_alarm(now_s)

    def end(self) -> None:
        """Close the socket when everything has left, and the word of it has travelled."""
        now_s = time.monotonic()
        self._call = None
        self._passage.end(now_s)
        self._set_alarm(now_s)

    def when_free(self, call: Callable[[], None] | None) -> None:
        """Have the event loop call whenever something has left and there is room; None for no longer."""
        self._call = call

    def _set_alarm(self, now_s: float) -> None:
        if self._awaited or self._passage.idle:
            return
        self._awaited = True
        due_s = self._passage.soon()
        if due_s <= now_s + EARLY_S:
            self._ring(now_s + EARLY_S)
        else:
            self._alarms.at(due_s, self._ring)

    def _ring(self, now_s: float) -> None:
        """Let leave what has travelled, and come back when there is more."""
        self._awaited = False
        data = self._passage.take(now_s)
        if data:
            self._leave(data)
            if self._call is not None and not self.full:
                self._call()
        elif data is not None:
            self._socket.close()
            return
        if not self._passage.idle:
            self._set_alarm(now_s)

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
        self._set_alarm(time.monotonic())
