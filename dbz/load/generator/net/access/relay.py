"""Carrying the bytes of one connection as its user's network would: in time, in order, and never faster.

The user's side of a connection is one end of a socket pair, and the relay stands between the other end and the server.
So everything that a connection carries is delayed alike: requests and answers, WebSocket frames, the CONNECT of a proxy
and the round trips of a TLS handshake; and whoever uses the connection knows nothing of it.
"""

from __future__ import annotations

import math
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import socket as gsocket
from gevent.hub import get_hub

from dbz.load.generator.net.access.schedule import AccessLink, ConnectionFlow
from dbz.load.generator.net.faults import ConnectFailed
from dbz.load.generator.net.limits import limit_behind

_CHUNK_BYTES = 65_536
_LEAST_ROOM_BYTES = 65_536
_MOST_ROOM_BYTES = 4 * 2**20
_EARLY_S = 0.0005
"""The event loop's timers are due to the millisecond: what is due so soon is due now."""
_READ, _WRITE = 1, 2


def relayed(server: gsocket.socket, up: AccessLink, down: AccessLink) -> gsocket.socket:
    """The user's end of a connection to a server that is carried over two links; the server's end is the relay's then.

    Raises `ConnectFailed`, or `GeneratorLimit` when this process has no descriptors left; the connection is closed.
    """
    try:
        near, far = gsocket.socketpair()
    except OSError as error:
        server.close()
        raise limit_behind(error) or ConnectFailed(error.strerror or str(error)) from error
    near.settimeout(server.gettimeout())
    _Relay(server, far, up, down)
    return near


class _Relay:
    """Both directions of a connection; it is there until both sides have closed it."""

    def __init__(self, server: gsocket.socket, far: gsocket.socket, up: AccessLink, down: AccessLink) -> None:
        room_bytes = _room_bytes(down)
        if room_bytes < _MOST_ROOM_BYTES:
            # The server is to feel that its user reads slowly, as it would with a phone.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
        self._sockets = (server, far)
        self._closed = False
        self._ways: tuple[_Way, ...] = (
            _Way(far._sock, server._sock, up, _room_bytes(up), self.close),
            _Way(server._sock, far._sock, down, room_bytes, self._no_more),
        )

    def _no_more(self) -> None:
        """The server has ended, and the user has all of it; what the user says still goes to the server."""
        try:
            self._sockets[1]._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def close(self) -> None:
        """The user has closed, and the server has all that was sent before; or one of the two is gone."""
        if self._closed:
            return
        self._closed = True
        for way in self._ways:
            way.stop()
        self._ways = ()  # they know this relay: a cycle would wait for the garbage collector, which comes rarely here
        for each in self._sockets:
            each.close()


class _Way:
    """One direction. `done` is called when the source has ended and everything has arrived."""

    __slots__ = (
        "_done",
        "_ended",
        "_flow",
        "_paused",
        "_queue",
        "_queued",
        "_reader",
        "_room",
        "_sink",
        "_source",
        "_timer",
        "_writer",
    )

    def __init__(self, source: Any, sink: Any, link: AccessLink, room_bytes: int, done: Callable[[], None]) -> None:
        loop = get_hub().loop
        self._source, self._sink = source, sink
        self._flow = ConnectionFlow(link)
        self._room = room_bytes
        self._done = done
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued = 0
        self._ended = self._paused = False
        self._timer: Any = None
        self._reader = loop.io(source.fileno(), _READ)
        self._writer = loop.io(sink.fileno(), _WRITE)
        self._reader.start(self._take)

    def stop(self) -> None:
        """Carry nothing more."""
        self._disarm()
        self._ended = True
        self._queue.clear()
        for watcher in (self._reader, self._writer):
            watcher.stop()
            watcher.close()

    def _take(self) -> None:
        """The source has something to send, or has ended."""
        try:
            data = self._source.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now_s = time.monotonic()
        if not data:
            self._ended = True
            self._reader.stop()
            self._queue.append((self._flow.end(now_s), b""))
        else:
            at = 0
            for due_s, size in self._flow.plan(now_s, len(data)):
                self._queue.append((due_s, data[at : at + size]))
                at += size
            self._queued += at
            if self._queued >= self._room:
                self._paused = True
                self._reader.stop()
        if self._timer is None and not self._writer.active:
            self._deliver()

    def _deliver(self) -> None:
        """Hand over what has arrived by now, and come back when the next piece does."""
        self._disarm()
        now_s = time.monotonic() + _EARLY_S
        queue = self._queue
        while queue and queue[0][0] <= now_s:
            due_s, data = queue.popleft()
            if not data:
                self._done()
                return
            sent = self._send(data)
            self._queued -= sent
            if sent < len(data):
                queue.appendleft((due_s, data[sent:]))
                if not self._writer.active:
                    self._writer.start(self._deliver)
                return
        self._writer.stop()
        if self._paused and self._queued < self._room and not self._ended:
            self._paused = False
            self._reader.start(self._take)
        if queue:
            self._timer = get_hub().loop.timer(max(queue[0][0] - time.monotonic(), 0.0))
            self._timer.start(self._deliver)

    def _send(self, data: bytes) -> int:
        try:
            return int(self._sink.send(data))
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # nobody is there to take it, which the other direction will hear of

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


def _room_bytes(link: AccessLink) -> int:
    """How many bytes may be on their way in a direction: twice what the link holds, as a receiver's window would."""
    if math.isinf(link.byte_per_s):
        return _MOST_ROOM_BYTES
    wanted = 2 * link.byte_per_s * (link.network.latency_s + link.network.jitter_s)
    return int(min(max(wanted, _LEAST_ROOM_BYTES), _MOST_ROOM_BYTES))
