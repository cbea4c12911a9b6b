"""One TCP or TLS connection of a virtual user, on gevent's event loop, with failures that have clear names.

The read watcher stays started between answers: stopping and starting it would cost system calls, and a server that
closes or speaks unasked is noticed for nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

from gevent import socket as gsocket
from gevent import ssl as gssl
from gevent.hub import get_hub

from dbz.load.generator.net import outbox
from dbz.load.generator.net.connection import CHUNK_BYTES, Connection
from dbz.load.generator.net.faults import ConnectionLost, WriteTimeout

_SMALL_CHUNK_BYTES = 8192  # events are small, and a large buffer costs more than reading once more
_SHORTEST_WAIT_S = 0.001
_buffer = bytearray(CHUNK_BYTES)
"""What was read last: one for all, since nobody gives way before it is copied."""
_seen = memoryview(_buffer)


class DirectConnection(Connection):
    """A connected socket."""

    __slots__ = ("_armed", "_fast", "_message", "_read", "_socket", "_unasked", "_write")

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
        self._message = b""
        """What is in the outbox and its answer is waited for; empty when it was given up."""

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

    def depart(self) -> None:
        """Send what was put into the outbox, unless nobody waits for the answer any more; called by the outbox."""
        message, fast = self._message, self._fast
        if not message or fast is None:
            return
        sent, failure = 0, None
        try:
            sent = fast.send(message)
        except BlockingIOError:
            pass
        except OSError as error:
            failure = error
        if sent < len(message):
            get_hub().loop.run_callback(self._tell, (sent, failure))

    def _tell(self, outcome: tuple[int, OSError | None]) -> None:
        """Wake who waits for the answer to a message that was not sent whole; called by the event loop."""
        if self._message and self._waiting is not None:
            self._waiting.switch(outcome)

    def _go_on_sending(self, message: bytes, outcome: tuple[int, OSError | None]) -> None:
        """After `depart` has sent so many bytes, or failed to."""
        sent, failure = outcome
        if failure is not None:
            raise failure
        self._send_slowly(message[sent:])
        self.wait_readable()

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
        if not self._armed:
            self._arm()
        self._message = message
        outbox.put(self)
        try:
            outcome = self._give_way(self._patience_s() if self.read_timeout_s else self.deadline_s)
        finally:
            self._message = b""
        try:
            if outcome:  # nothing, when there is something to read
                self._go_on_sending(message, outcome)
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
        self._arm()
        self._give_way(self._patience_s())

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._read.start(self._wake)

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
