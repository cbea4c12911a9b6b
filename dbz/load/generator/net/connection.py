"""What a connection of a virtual user can do, whatever carries its bytes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from dbz.load.generator.net.waiting import TimedWait, watched

CHUNK_BYTES = 65536


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
        watched.add(self)

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
        watched.discard(self)
