"""One TCP or TLS connection of a virtual user, on gevent's event loop, with failures that have clear names.

Waiting goes straight to the hub's primitive with a deadline that a sweep enforces: a timer for each read would cost
more than the read. The read watcher stays started between answers: stopping and starting it would cost system calls,
and a server that closes or speaks unasked is noticed for nothing.
"""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket as gsocket
from gevent import ssl as gssl
from gevent.hub import get_hub

from dbz.load.generator.net.faults import ConnectionLost, ReadTimeout, WriteTimeout

CHUNK_BYTES = 65536
_SMALL_CHUNK_BYTES = 8192  # events are small, and a large buffer costs more than reading once more
_SWEEP_S = 0.1
_buffer = bytearray(CHUNK_BYTES)
"""What was read last: one for all, since nobody gives way before it is copied."""
_seen = memoryview(_buffer)
_SHORTEST_WAIT_S = 0.001


class TimedWait:
    """Something that a greenlet waits for until a deadline, which the sweep enforces."""

    __slots__ = ("_until_s", "_waiting")

    def __init__(self) -> None:
        self._waiting: Any = None
        self._until_s = 0.0

    def wait(self, deadline_s: float) -> Any:
        """Give way to others until somebody switches here with a value, which is returned; `ReadTimeout` when too late.

        Whoever switches here must be called by the event loop.
        """
        _open.add(self)
        try:
            return self._give_way(deadline_s)
        finally:
            _open.discard(self)

    def _give_way(self, until_s: float) -> Any:
        # Straight to the hub instead of `hub.wait`: that makes a waiter and starts and stops the watcher each time.
        # The price is that whoever switches here must be called by the event loop, and nobody else.
        global _turns
        self._until_s, self._waiting = until_s, gevent.getcurrent()
        _turns += 1
        try:
            return get_hub().switch()
        finally:
            self._waiting = None

    def expire(self, now_s: float) -> None:
        """Wake who waits when the time is over; called by the event loop."""
        if self._waiting is not None and self._until_s < now_s:
            self._waiting.throw(ReadTimeout())


class Connection(TimedWait, ABC):
    """A way to a server. Waits end at `deadline_s` (monotonic clock) with `ReadTimeout` or `WriteTimeout`.

    `read_timeout_s` limits each single wait for bytes as well, when it is not 0.
    """

    __slots__ = ("arrived_s", "connect_s", "deadline_s", "read_timeout_s", "tls_s")

    def __init__(self) -> None:
        super().__init__()
        self.deadline_s = self.read_timeout_s = 0.0
        self.arrived_s = 0.0
        """When the first of the bytes that `recv` gave last had arrived; 0 when that was just before it gave them."""
        self.connect_s = self.tls_s = 0.0
        """How long it took to look up the name and connect, through a proxy's tunnel too, and for the TLS handshake."""
        _open.add(self)

    def _patience_s(self) -> float:
        """Until when a wait for bytes that begins now may last."""
        if self.read_timeout_s:
            return min(self.deadline_s, time.monotonic() + self.read_timeout_s)
        return self.deadline_s

    @property
    @abstractmethod
    def encrypted(self) -> bool:
        """Whether this is TLS, which may hold bytes that no event announces."""

    @property
    @abstractmethod
    def unasked(self) -> bool:
        """Whether the server closed the connection, or sent something, while nobody was reading."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send everything."""

    @abstractmethod
    def send_now(self, data: bytes) -> int:
        """Send what the network takes without waiting; returns how many bytes that were."""

    @abstractmethod
    def recv(self, wanted: int = 1, size_of: Callable[[bytes], int] | None = None) -> bytes:
        """Bytes that have arrived; waits for some first; empty when the server closed the connection.

        A connection may wait until there are as many as are `wanted`: whoever can do nothing with fewer is woken once.
        So it may for all that belongs to the first of them, when `size_of`, which it may call from the event loop,
        says of these how many that are; 0 when that cannot be said.
        """

    def ask(self, message: bytes, expected: bytes = b"", size_of: Callable[[bytes], int] | None = None) -> bytes:  # noqa: ARG002 not worth it here
        """Send everything and wait for the first bytes of the answer; `size_of` is for `recv`.

        When these are the `expected` ones, that object itself is returned: nothing is copied then.
        """
        self.send(message)
        return self.recv(1, size_of)

    @abstractmethod
    def recv_now(self) -> bytes | None:
        """Bytes that have arrived, without waiting; None when there are none, empty when the server closed."""

    @abstractmethod
    def recv_more(self) -> bytes | None:
        """As `recv_now` after it gave bytes: what no event announces; None when there is never any."""

    @abstractmethod
    def listen(self, call: Callable[[], None]) -> None:
        """Have the event loop call, from now on, whenever `recv_now` has something to give; nobody waits in `recv`."""

    @abstractmethod
    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Have the event loop call when `send_now` may take more, again and again; None for no longer."""

    @abstractmethod
    def stale(self) -> bool:
        """Whether the server closed this idle connection, or sent what nobody asked for."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""
        _open.discard(self)


class DirectConnection(Connection):
    """A connected socket."""

    __slots__ = ("_armed", "_fast", "_read", "_socket", "_unasked", "_write")

    def __init__(self, sock: gsocket.socket) -> None:
        super().__init__()
        self._socket = sock
        # The plain socket under gevent's wrapper does not block and needs no wrapper for a read that has data: gevent's
        # own recv would ask the event loop again, and cost three times as much.
        self._fast = None if isinstance(sock, gssl.SSLSocket) else sock._sock
        self._read = get_hub().loop.io(sock.fileno(), 1)
        self._write: Any = None
        self._armed = False
        self._unasked = False

    @property
    def encrypted(self) -> bool:
        """Whether this is TLS, which may hold bytes that no event announces."""
        return self._fast is None

    @property
    def unasked(self) -> bool:
        """Whether the socket became readable while nobody was reading."""
        return self._unasked

    @property
    def plain(self) -> Any:
        """The socket itself, which does not block, for whoever waits for it by `listen`; None with TLS."""
        return self._fast

    def send(self, data: bytes) -> None:
        """Send everything."""
        try:
            sent = self._fast.send(data) if self._fast is not None else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        if sent < len(data):
            self._send_slowly(data[sent:])

    def _send_slowly(self, data: bytes) -> None:
        self._socket.settimeout(max(self.deadline_s - time.monotonic(), _SHORTEST_WAIT_S))
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise WriteTimeout from error
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def ask(self, message: bytes, expected: bytes = b"", size_of: Callable[[bytes], int] | None = None) -> bytes:
        """Send everything and wait for the first bytes of the answer; `expected` itself when they are just these."""
        fast = self._fast
        if fast is None:
            return super().ask(message, expected, size_of)
        try:
            sent = fast.send(message)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        if sent < len(message):
            self._send_slowly(message[sent:])
        self.wait_readable()
        try:
            size = fast.recv_into(_buffer)
        except BlockingIOError:
            return self.recv()
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        if size == len(expected) and _buffer.startswith(expected):
            return expected
        return bytes(_seen[:size])

    def wait_readable(self) -> None:
        """Give way to other users until there is something to read or the deadline has passed."""
        if not self._armed:
            self._armed = True
            self._read.start(self._wake)
        self._give_way(self._patience_s())

    def _wake(self) -> None:
        """Called by the event loop.

        Nobody may be waiting: the watcher stays on between answers, and this is how an idle connection learns that its
        server closed it. It is turned off then, for what is readable stays readable and would call again and again.
        """
        if self._waiting is not None:
            self._waiting.switch()
        else:
            self.note_unasked()

    def note_unasked(self) -> None:
        """There is something to read that nobody asked for; nobody is told of it again."""
        self._unasked = True
        self._disarm()

    def ignore(self) -> None:
        """Whoever listens is not called any more."""
        self._disarm()

    def _disarm(self) -> None:
        self._read.stop()
        self._armed = False

    def recv(self, wanted: int = 1, size_of: Callable[[bytes], int] | None = None) -> bytes:  # noqa: ARG002 a socket gives what it has
        """Bytes that have arrived; waits for some first; empty when the server closed the connection."""
        try:
            if self._fast is None:
                return self._recv_tls()
            self.wait_readable()
            while True:
                try:
                    return bytes(self._fast.recv(CHUNK_BYTES))
                except BlockingIOError:
                    self.wait_readable()
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def recv_now(self) -> bytes | None:
        """Bytes that have arrived, without waiting; None when there are none, empty when the server closed."""
        try:
            if self._fast is not None:
                return self._fast.recv(_SMALL_CHUNK_BYTES)  # type: ignore[no-any-return]
            self._socket.settimeout(0.0)
            return bytes(self._socket.recv(CHUNK_BYTES))
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    def recv_more(self) -> bytes | None:
        """As `recv_now` after it gave bytes: TLS may hold some that no event announces, a plain socket does not."""
        return None if self._fast is not None else self.recv_now()

    def send_now(self, data: bytes) -> int:
        """Send what the network takes without waiting; returns how many bytes that were."""
        try:
            if self._fast is not None:
                return int(self._fast.send(data))
            self._socket.settimeout(0.0)
            return int(self._socket.send(data))
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error

    def listen(self, call: Callable[[], None]) -> None:
        """Have the event loop call whenever the socket is readable."""
        self._disarm()
        self._armed = True
        self._read.start(call)

    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Have the event loop call whenever the socket is writable."""
        if self._write is not None:
            self._write.stop()
            self._write.close()
            self._write = None
        if call is not None:
            self._write = get_hub().loop.io(self._socket.fileno(), 2)
            self._write.start(call)

    def _recv_tls(self) -> bytes:
        self._socket.settimeout(0.0)
        while True:
            try:
                return bytes(self._socket.recv(CHUNK_BYTES))
            except ssl.SSLWantReadError:
                self.wait_readable()

    def stale(self) -> bool:
        """Whether the server closed this idle connection, or sent what nobody asked for.

        The event loop may not have had its turn since that happened, so a plain socket is read as well. TLS is not: its
        session tickets arrive when they like, and would make every connection look spoken to.
        """
        return self._unasked or (self._fast is not None and self.recv_now() is not None)

    def close(self) -> None:
        """Close the socket."""
        super().close()
        self._disarm()
        self._read.close()
        self.when_writable(None)
        self._socket.close()


_open: set[TimedWait] = set()
_turns = 0


def turns() -> int:
    """How often a greenlet of this process has given way to others by waiting here.

    Whoever finds it changed has given way: the others could not have had their turns else.
    """
    return _turns


def sweep_deadlines() -> None:
    """Wake those whose deadline has passed, forever; one greenlet of each generator process runs this."""
    loop = get_hub().loop
    while True:
        gevent.sleep(_SWEEP_S)
        now_s = time.monotonic()
        for connection in [each for each in _open if each._waiting is not None and each._until_s < now_s]:
            # From the event loop: a reader that was woken by this greenlet would never give control back to it.
            loop.run_callback(connection.expire, now_s)
