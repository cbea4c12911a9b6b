"""What the namespaces of one user share: a connection, opened when one of them needs it, and its packets."""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent
from gevent.event import AsyncResult

from dbz.load.generator.net.faults import (
    ConnectionLost,
    Disconnected,
    MalformedPacket,
    MessageTooLarge,
    ReadTimeout,
    TransportError,
)
from dbz.load.generator.record.recorder import Samples
from dbz.load.generator.socketio.endpoint import WEBSOCKET, Endpoint, upgrade
from dbz.load.generator.socketio.engineio import EngineConnection
from dbz.load.generator.socketio.namespace import Namespace
from dbz.load.generator.socketio.polling import Polling
from dbz.measure.latency.series import CONNECT
from dbz.protocols import socketio as packets
from dbz.protocols.socketio import Packet, PacketError

_MEMO_SIZE = 512
_MEMO_LONGEST_BYTES = 8192
_memo: dict[bytes, tuple[str, str, list[object]]] = {}
"""Namespace, name and arguments of events. All members of a room get the same bytes: they are parsed once."""


class Link:
    """One connection, or none at the moment, and the namespaces that use it by name."""

    __slots__ = ("_attachments", "_awaiting", "_engine", "_opening", "_recorder", "endpoint", "namespaces")

    def __init__(self, endpoint: Endpoint, recorder: Samples) -> None:
        self.endpoint = endpoint
        self.namespaces: dict[str, Namespace] = {}
        self._recorder = recorder
        self._engine: EngineConnection | None = None
        self._opening: AsyncResult | None = None
        self._awaiting: Packet | None = None
        self._attachments: list[bytes] = []

    def open(self, deadline_s: float) -> None:
        """Make sure that there is a connection; several may ask at the same time. Raises why there is none."""
        if self._opening is not None:
            self._join_opening(self._opening, deadline_s)
        elif self._engine is None or self._engine.closed:
            opening = self._opening = AsyncResult()
            try:
                self._engine = self._open_engine(deadline_s)
            except BaseException as error:
                opening.set_exception(error if isinstance(error, TransportError) else ConnectionLost("given up"))
                raise
            finally:
                self._opening = None
            opening.set(True)

    def send(self, messages: Sequence[bytes]) -> None:
        """Send the messages of a packet: a text, then binary ones. Raises `ConnectionLost` or `MessageTooLarge`."""
        if self._engine is None:
            raise ConnectionLost("not connected")
        self._engine.send(messages)

    @property
    def writable(self) -> bool:
        """Whether a packet would go out now, and not wait."""
        return self._engine is not None and self._engine.writable

    def release(self) -> None:
        """Close the connection unless a namespace uses it."""
        if self._engine is not None and not any(space.in_use for space in self.namespaces.values()):
            self._engine.close()
            self._engine = None

    def _join_opening(self, opening: AsyncResult, deadline_s: float) -> None:
        try:
            opening.get(timeout=max(deadline_s - time.monotonic(), 0.001))
        except gevent.Timeout:
            raise ReadTimeout("the server did not open the connection") from None

    def _open_engine(self, deadline_s: float) -> EngineConnection:
        self._awaiting = None
        transport = self.endpoint.open(deadline_s)
        engine = EngineConnection(transport, self._text, self._binary, self._lost)
        try:
            engine.open(deadline_s)
        except BaseException:
            engine.close()
            raise
        if isinstance(transport, Polling):
            transport.go_on(engine.handshake.sid, engine.handshake.max_payload)
            if WEBSOCKET in self.endpoint.options.transports and WEBSOCKET in engine.handshake.upgrades:
                gevent.spawn(self._upgrade, engine, transport)
        return engine

    def _upgrade(self, engine: EngineConnection, polling: Polling) -> None:
        started_s = time.monotonic()
        try:
            upgrade(engine, polling, self.endpoint)
        except TransportError as error:
            self._recorder.failure(CONNECT, "upgrade", time.monotonic() - started_s, str(error))
        else:
            self._recorder.success(CONNECT, "upgrade", time.monotonic() - started_s)

    def _text(self, message: bytes) -> None:
        """A packet's text; by far the most are events that other members get too."""
        event = _memo.get(message)
        if event is None or self._awaiting is not None:
            self._packet(message)
            return
        namespace = self.namespaces.get(event[0])
        if namespace is not None:
            namespace.event(event[1], event[2])

    def _packet(self, message: bytes) -> None:
        if self._awaiting is not None:
            raise MalformedPacket("a text message where a binary attachment should be")
        try:
            packet = packets.parse(message)
        except PacketError as error:
            raise MalformedPacket(str(error)) from error
        if packet.attachments:
            self._awaiting, self._attachments = packet, []
            return
        if packet.kind == packets.EVENT and packet.number is None:
            _remember(message, packet)
        self._dispatch(packet)

    def _binary(self, message: bytes) -> None:
        packet = self._awaiting
        if packet is None:
            raise MalformedPacket("a binary message that belongs to no packet")
        self._attachments.append(message)
        if sum(map(len, self._attachments)) > self.endpoint.options.max_message_bytes:
            raise MessageTooLarge("the attachments of one packet")
        if len(self._attachments) == packet.attachments:
            try:
                data = packets.restore(packet.data, self._attachments)
            except PacketError as error:
                raise MalformedPacket(str(error)) from error
            self._awaiting, self._attachments = None, []
            self._dispatch(packet._replace(data=data))

    def _dispatch(self, packet: Packet) -> None:
        namespace = self.namespaces.get(packet.namespace)
        if namespace is None:
            return
        namespace.receive(packet)
        if packet.kind == packets.DISCONNECT:
            namespace.lost(Disconnected("by the server"))
            self.release()

    def _lost(self, error: TransportError) -> None:
        self._engine = self._awaiting = None
        for namespace in list(self.namespaces.values()):
            namespace.lost(error)


def _remember(message: bytes, packet: Packet) -> None:
    if len(message) <= _MEMO_LONGEST_BYTES:
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        _memo[message] = (packet.namespace, packet.data[0], packet.data[1:])
