"""An Engine.IO 4 connection over any transport: handshake and keep-alive.

The server pings; when it has not for longer than it promised, the connection counts as lost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gevent
import orjson
from gevent.event import AsyncResult
from gevent.hub import get_hub

from dbz.load.generator.net.faults import (
    ConnectionLost,
    Disconnected,
    MalformedPacket,
    MessageTooLarge,
    OldServer,
    ReadTimeout,
    TransportError,
)
from dbz.load.generator.websocket.frames import BINARY, TEXT


class Transport(Protocol):
    """What carries packets: a WebSocket or long-polling."""

    on_message: Callable[[int, bytes], None]
    on_close: Callable[[TransportError], None]

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""

    @property
    def writable(self) -> bool:
        """Whether a packet would go out now, and not wait."""

    def start(self) -> None:
        """Begin to hand over packets."""

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a packet without waiting."""

    def size(self, payload: bytes, opcode: int, /) -> int:
        """Bytes that a packet counts against what the server accepts."""

    def close(self, error: TransportError | None = None) -> None:
        """Close; `on_close` is told of an error."""


class EngineConnection:
    """An Engine.IO connection. Text messages are handed on with their leading 4, binary ones as they are."""

    __slots__ = ("_on_binary", "_on_close", "_on_text", "_opened", "_patience_s", "_silence", "_transport", "handshake")

    def __init__(
        self,
        transport: Transport,
        on_text: Callable[[bytes], None],
        on_binary: Callable[[bytes], None],
        on_close: Callable[[TransportError], None],
    ) -> None:
        self._on_text, self._on_binary, self._on_close = on_text, on_binary, on_close
        self._opened: AsyncResult | None = AsyncResult()
        self._silence: Any = None
        self._patience_s = 0.0
        self.handshake = Handshake("", (), 0.0, 0.0, 0)
        self._transport = transport
        self.carry_on(transport)

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.closed

    @property
    def writable(self) -> bool:
        """Whether a message would go out now, and not wait."""
        return self._transport.writable

    def carry_on(self, transport: Transport) -> None:
        """Send and receive over `transport` from now on."""
        self._transport = transport
        transport.on_message, transport.on_close = self._receive, self._lost

    def open(self, deadline_s: float) -> None:
        """Wait for the server's handshake; the connection is closed when it does not come in time."""
        opened = self._opened
        assert opened is not None
        self._transport.start()
        try:
            opened.get(timeout=max(deadline_s - time.monotonic(), 0.001))
        except gevent.Timeout:
            raise ReadTimeout("the server did not open the connection") from None
        finally:
            self._opened = None

    def send(self, messages: Sequence[bytes]) -> None:
        """Send a text message and the binary ones that belong to it: all of them, or none.

        Raises `ConnectionLost` when closed, `MessageTooLarge` for more than the server accepts.
        """
        transport, limit = self._transport, self.handshake.max_payload
        opcode = TEXT
        for message in messages:
            size = transport.size(message, opcode)
            if size > limit > 0:
                raise MessageTooLarge(f"{size:,} bytes, the server accepts {limit:,}")
            opcode = BINARY
        opcode = TEXT
        for message in messages:
            transport.send(message, opcode)
            opcode = BINARY

    def close(self, error: TransportError | None = None) -> None:
        """Close the connection; `on_close` is told when something else than this side wanted it."""
        self._stop_watching()
        self._transport.close(error)

    def _receive(self, opcode: int, packet: bytes) -> None:
        if opcode != TEXT:
            self._on_binary(packet)
        elif packet[:1] == b"4":
            self._on_text(packet)
        elif packet.startswith(b"2"):
            self._silence.again(self._silent)
            self._transport.send(b"3" + packet[1:])
        elif packet.startswith(b"0") and self._opened is not None:
            self._begin(parse_handshake(packet))
        elif packet == b"1":
            self.close(Disconnected("by the server"))
        elif _OLD_PAYLOAD.match(packet):
            raise OldServer
        elif packet != b"6":
            raise MalformedPacket(repr(packet[:60].decode("utf-8", "replace")))

    def _begin(self, handshake: Handshake) -> None:
        self.handshake = handshake
        self._patience_s = handshake.ping_interval_s + handshake.ping_timeout_s
        # Repeating, because `again` then starts it anew without giving the event loop another watcher.
        self._silence = get_hub().loop.timer(self._patience_s, self._patience_s)
        self._silence.start(self._silent)
        if self._opened is not None:
            self._opened.set(True)

    def _silent(self) -> None:
        self.close(ConnectionLost(f"no ping for {self._patience_s:g} s"))

    def _stop_watching(self) -> None:
        if self._silence is not None:
            self._silence.stop()
            self._silence.close()
            self._silence = None

    def _lost(self, error: TransportError) -> None:
        self._stop_watching()
        if self._opened is not None and not self._opened.ready():
            self._opened.set_exception(error)
        else:
            self._on_close(error)


_OLD_PAYLOAD = re.compile(rb"\d+:0\{")
"""How a polling answer of Engine.IO 3 begins: each of its packets is preceded by its length."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the server says when a connection opens."""

    sid: str
    """The connection's id."""
    upgrades: tuple[str, ...]
    """Transports that it can be changed over to."""
    ping_interval_s: float
    ping_timeout_s: float
    """How long the server waits for the answer to its ping; then it closes the connection."""
    max_payload: int
    """The largest message, or polling body, in bytes that the server accepts; 0 when it does not say."""


def parse_handshake(packet: bytes) -> Handshake:
    """The handshake in an open packet; `MalformedPacket` when there is none in it."""
    try:
        fields = orjson.loads(packet[1:])
        return Handshake(
            str(fields["sid"]),
            tuple(fields.get("upgrades", ())),
            float(fields["pingInterval"]) / 1000,
            float(fields["pingTimeout"]) / 1000,
            int(fields.get("maxPayload") or 0),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MalformedPacket(f"a handshake without sid or ping times: {packet[:60]!r}") from error
