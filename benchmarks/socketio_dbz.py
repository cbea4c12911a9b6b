"""dbz's client in the Socket.IO benchmark, with all that a scenario has: deliveries and the recorder."""

# ruff: noqa: I001 the standard library is patched before anything else is imported
from __future__ import annotations

from socketio_members import CONNECTING, TEXT, Member, run

import tempfile
import time
from pathlib import Path

import gevent

from dbz.load.generator import wire
from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.sinks import FileSink
from dbz.load.generator.socketio.client import SocketClient
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import ACK, DELIVERY

__all__ = ["CONNECTING", "EVENT", "TEXT", "Members"]

EVENT, ROOM = "chat", "room"


class Members:
    """Everybody in one room."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder(FileSink(folder, 0, time.time()), time.monotonic())
        self.deliveries = DeliveryLedger(self.recorder)
        self.clients: list[SocketClient] = []

    def join(self, url: str, number: int) -> Member:
        """Connect one member."""
        client = SocketClient(url, self.recorder)
        received = self.deliveries.received
        client.on("said", lambda message: received(EVENT, ROOM, message["id"], number))
        client.connect()
        self.clients.append(client)
        self.deliveries.join(EVENT, ROOM, number)
        return Member(lambda message: client.emit("say", message), lambda message: client.call("ask", message))

    def announce(self, key: str, member: int) -> None:
        """A message is about to be sent."""
        self.deliveries.sent(EVENT, ROOM, key, member)

    def latencies_ms(self, work: str) -> tuple[int, float, float]:
        """Count, median and 95th percentile of the deliveries, or of the acknowledgements."""
        histogram = Histogram(self.recorder._ok[(ACK, "ask") if work == "acks" else (DELIVERY, EVENT)])
        own_copies = self.deliveries.take_counts().get(EVENT, [0])[0]  # received as well, but no deliveries
        return len(histogram) + own_copies, *(histogram.percentile_us(share) / 1000 for share in (50, 95))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        gevent.spawn(wire.sweep_deadlines)
        members = Members(Path(folder))
        run(members.join, members.announce, members.latencies_ms)
