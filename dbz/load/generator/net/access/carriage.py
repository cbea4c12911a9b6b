"""A connection over a user's network: what it carries arrives in time, in order, and never faster.

It is the server's own socket. Bytes for the server wait here until they have travelled, and leave then; bytes from it
are read at once, and handed over when they have travelled. So HTTP, WebSocket frames, the CONNECT of a proxy and the
round trips of a TLS handshake are delayed alike.

Whoever needs the whole of an answer is woken once, at its end: its size can be read while its head is under way, and
when the first of it arrived can be computed.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from gevent import socket as gsocket

from dbz.load.generator.net.access.departures import Departures
from dbz.load.generator.net.access.passage import MOST_ROOM_BYTES, Passage
from dbz.load.generator.net.access.rounds import EARLY_S, rounds
from dbz.load.generator.net.access.schedule import AccessLink
from dbz.load.generator.net.access.tls import LARGEST_RECORD_BYTES, TlsSession
from dbz.load.generator.net.connection import CHUNK_BYTES, Connection
from dbz.load.generator.net.faults import ConnectionLost, ConnectTimeout, ReadTimeout, WriteTimeout

_SMALL_CHUNK_BYTES = 8192
"""Events are small: a buffer for more would cost more than to read again."""


class ShapedConnection(Connection):
    """A connected socket, whose bytes go over two links."""

    __slots__ = (
        "_alarm_s",
        "_closed",
        "_failure",
        "_heard",
        "_listener",
        "_out",
        "_passage",
        "_paused",
        "_read",
        "_rounds",
        "_size_of",
        "_sock",
        "_socket",
        "_tls",
        "_wanted",
    )

    def __init__(self, sock: gsocket.socket, up: AccessLink, down: AccessLink) -> None:
        super().__init__()
        self._socket, self._sock = sock, sock._sock
        self._rounds = rounds()
        self._alarm_s = math.inf
        self._passage = Passage(down)
        self._out = Departures(sock, up)
        self._tls: TlsSession | None = None
        self._failure: OSError | None = None
        self._listener: Callable[[], None] | None = None
        self._heard: bytes | None = None  # what the listener is called for, when that is known already
        self._wanted = 1
        self._size_of: Callable[[bytes], int] | None = None
        self._closed = self._paused = False
        if self._passage.room < MOST_ROOM_BYTES:
            # The server is to feel that its user reads slowly, as it would with a phone.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._passage.room)
        self._read: Any = self._rounds.reader(sock.fileno())
        self._read.start(self._fetch)
        self._rounds.look_soon()

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands for TLS; `TlsFailed` says what is wrong with certificate or protocol."""
        session = TlsSession(context, host)
        try:
            session.shake_hands(self.send, self.recv)
        except (ReadTimeout, WriteTimeout) as error:
            raise ConnectTimeout("no TLS handshake") from error
        self._tls = session

    @property
    def encrypted(self) -> bool:
        """Whether this is TLS."""
        return self._tls is not None

    @property
    def unasked(self) -> bool:
        """Whether the end of the connection, or something that nobody asked for, has arrived.

        Of TLS only the end counts: its session tickets arrive when they like.
        """
        passage = self._passage
        if not passage.ended and (not passage.size or self._tls is not None):
            return False
        return passage.when(1) <= time.monotonic()

    def stale(self) -> bool:
        """Whether the server closed this idle connection, or sent what nobody asked for, and that has arrived."""
        return self.unasked

    def send(self, data: bytes) -> None:
        """Send everything; waits while more is under way than the network holds."""
        self._out.put(data if self._tls is None else self._tls.sealed(data))
        if not self._out.full:
            return
        self._out.when_free(self._wake)
        try:
            while self._out.full:
                self._give_way(self.deadline_s)
        except ReadTimeout as error:
            raise WriteTimeout from error
        finally:
            self._out.when_free(None)

    def send_now(self, data: bytes) -> int:
        """Send all, or nothing while more is under way than the network holds."""
        if self._out.full:
            return 0
        self._out.put(data if self._tls is None else self._tls.sealed(data))
        return len(data)

    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Have the event loop call when the network has room again."""
        self._out.when_free(call)

    def listen(self, call: Callable[[], None]) -> None:
        """Have the event loop call whenever something has arrived."""
        self._listener, self._wanted, self._size_of = call, 1, None
        if self._read.active:
            self._read.stop()
            self._read.start(self._hear)
        self._look(time.monotonic() + EARLY_S)

    def recv(self, wanted: int = 1, size_of: Callable[[bytes], int] | None = None) -> bytes:
        """Bytes that have arrived; waits until there are `wanted`, unless each wait has a limit of its own."""
        until_s, passage = time.monotonic() + EARLY_S, self._passage
        self._wanted, self._size_of, self.arrived_s = wanted, size_of, 0.0
        self._alarm_s = math.inf  # those that ring still are of no use to this wait
        if self.read_timeout_s:
            self._wanted, self._size_of = 1, None
        elif self._tls is not None:
            self._wanted, self._size_of = max(wanted - LARGEST_RECORD_BYTES, 1), None  # it may have most of one
        while True:
            if not (passage.size or passage.ended) or not self._ready(until_s):
                until_s = self._give_way(self._patience_s()) or time.monotonic() + EARLY_S
            data = self._taken(until_s)
            if data:
                return data
            if data is not None:
                break
            self._wanted = 1  # what lacks of a TLS record may be less than was wanted
        if self._failure is not None:
            raise ConnectionLost(self._failure.strerror or str(self._failure)) from self._failure
        return b""

    def recv_now(self) -> bytes | None:
        """Bytes that have arrived; None when there are none, empty at the end."""
        if self._heard is not None:
            data, self._heard = self._heard, None
            return data
        self._wanted = 1
        return self._taken(time.monotonic() + EARLY_S)

    def recv_more(self) -> bytes | None:
        """None: `recv_now` leaves nothing that no alarm announces."""
        return None

    def close(self) -> None:
        """Close it; the server gets what was sent before."""
        if self._closed:
            return
        super().close()
        self._closed = True
        self._alarm_s = math.inf
        self._listener = None
        self._read.stop()
        self._read.close()
        self._passage.clear()
        self._out.end()

    def _fetch(self) -> None:
        """The server has sent something: from now on it is under way."""
        out, passage = self._out, self._passage
        self._rounds.read_something()
        late_s, out.late_s = out.late_s, 0.0
        self._pull(self._rounds.sent_s - late_s)
        now_s = time.monotonic()
        if passage.size >= passage.room and (self._waiting is None or passage.full(now_s)):
            self._paused = True
            self._read.stop()
        if self._waiting is not None:
            self._look(now_s + EARLY_S)

    def _hear(self) -> None:
        """As `_fetch`, for a listener: events are small and come by the ten thousand, so that each call counts."""
        out, passage, rounds = self._out, self._passage, self._rounds
        rounds.read_something()
        late_s, out.late_s = out.late_s, 0.0
        try:
            data = self._sock.recv(_SMALL_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._failure, data = error, b""
        sent_s = rounds.sent_s - late_s
        if not data:
            passage.end(sent_s)
            self._read.stop()
        elif passage.put_or_pass(sent_s, data, rounds.until_s):
            self._heard = data if self._tls is None else self._opened(self._tls, data)
            if self._heard is not None and self._listener is not None:
                self._listener()
            return
        elif passage.size >= passage.room and passage.full(time.monotonic()):
            self._paused = True
            self._read.stop()
            self._ready(0.0)
            return
        if self._alarm_s == math.inf:  # else it rings for what came before, and is set anew then
            self._alarm_s = due_s = passage.soon()
            rounds.set(due_s, self)

    def _tell(self, now_s: float) -> None:
        """Have the listener take what has arrived, and set the alarm for what is under way still."""
        self._heard = self._taken(now_s)
        if self._heard is not None and self._listener is not None:
            self._listener()
        if not self._closed and (self._passage.size or self._passage.ended):
            self._ready(0.0)

    def _pull(self, sent_s: float) -> bool:
        """Read what the server has sent at a moment; whether there may be more."""
        try:
            data = self._sock.recv(CHUNK_BYTES if self._listener is None else _SMALL_CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._failure, data = error, b""
        if data:
            self._passage.put(sent_s, data)
            return True
        self._passage.end(sent_s)
        self._read.stop()
        return False

    def _catch_up(self, now_s: float) -> None:
        """Read on when no more than half of what has room is under way.

        What the server had to wait with goes over the link at the moment at which there was room for it, and not when
        the event loop comes to it: so the link never runs dry.
        """
        passage = self._passage
        room_s = passage.half_empty()
        if room_s > now_s:
            return
        while not passage.full(now_s):
            if not self._pull(room_s):
                self._paused = False
                if not passage.ended:
                    self._read.start(self._fetch if self._listener is None else self._hear)
                    self._rounds.look_soon()
                return

    def ring(self, now_s: float) -> None:
        """Look again; called by the alarms."""
        if self._alarm_s > now_s:
            return
        self._alarm_s = math.inf
        if self._paused:
            self._look(now_s)
        elif self._waiting is not None:
            self._waiting.switch(now_s)
        elif self._listener is not None:
            self._tell(now_s)

    def _look(self, now_s: float) -> None:
        """Wake whoever waits, when there is something for him; called by the event loop."""
        if self._waiting is not None:
            if self._ready(now_s):
                self._waiting.switch(now_s)
        elif self._listener is not None and self._ready(now_s):
            self._tell(now_s)

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.switch()

    def _ready(self, now_s: float) -> bool:
        """Whether something has arrived for whoever waits; otherwise the alarm is set for when to look again."""
        passage = self._passage
        if self._paused:
            self._catch_up(now_s)
        if self._size_of is not None and passage.size:
            self._look_ahead(self._size_of)
        wanted = self._wanted
        if wanted == 1:
            due_s = passage.soon()
        else:
            due_s = passage.when(wanted) if wanted <= passage.size or passage.ended else math.inf
        if due_s <= now_s:
            return True
        if self._paused:
            due_s = min(due_s, passage.half_empty())
        if due_s < math.inf and due_s != self._alarm_s:
            self._alarm_s = due_s
            self._rounds.set(due_s, self)
        return False

    def _look_ahead(self, size_of: Callable[[bytes], int]) -> None:
        """How much belongs to what has begun to come, and when the first of it arrives."""
        self._size_of = None
        passage = self._passage
        size = size_of(passage.first)
        if size > 1:
            self._wanted, self.arrived_s = size, passage.first_s

    def _taken(self, now_s: float) -> bytes | None:
        data = self._passage.take(now_s)
        return data if data is None or self._tls is None else self._opened(self._tls, data)

    def _opened(self, tls: TlsSession, data: bytes) -> bytes | None:
        try:
            opened = tls.opened(data)
        except ssl.SSLError as error:
            self._failure, opened = error, b""
        self._out.put(tls.unsent())
        return opened
