"""Thousands of sockets in one process of dbz, each of which sends a message a second and gets it back.

Nobody is held up by a burst: messages are spread over each second, as those of people are. What a worker of a load has
is here too: the recorder, the probe of the event loop's lag, its care of the garbage collector.
"""

# ruff: noqa: I001 the standard library is patched before anything else is imported
from __future__ import annotations

from socketio_members import CONNECTING, TEXT

import gc
import json
import sys
import tempfile
import time
from pathlib import Path

import gevent
import psutil
from gevent.pool import Pool

from dbz.children import raise_open_files
from dbz.load.generator import wire
from dbz.load.generator.record.health import Health
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.sinks import FileSink
from dbz.load.generator.socketio.client import SocketClient
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import DELIVERY, GENERATOR

STEP_S = 0.01
WARMUP_S = 2.0
PATIENCE_S = 5.0


class Crowd:
    """The sockets of this process."""

    def __init__(self, url: str, recorder: Recorder) -> None:
        self.url = url
        self.recorder = recorder
        self.clients: list[SocketClient] = []
        self.part = self.sent = self.back = 0

    def join(self, _number: int) -> None:
        """Connect another one."""
        client = SocketClient(self.url, self.recorder)
        client.on("sent", self.receive)
        client.connect()
        self.clients.append(client)

    def receive(self, message: dict[str, float]) -> None:
        """A message is back at who sent it; one of an earlier part is not looked at."""
        if message["part"] == self.part:
            self.back += 1
            self.recorder.success(DELIVERY, "sent", time.monotonic() - message["at"])

    def talk(self, seconds: float) -> None:
        """Let each send a message a second, one after the other, for so long."""
        clients, rate, sent = self.clients, len(self.clients), 0
        self.part, self.back = self.part + 1, 0
        began_s = time.monotonic()
        while sent < rate * seconds:
            gevent.sleep(STEP_S)
            due = min(int((time.monotonic() - began_s) * rate), int(rate * seconds))
            for number in range(sent, due):
                clients[number % rate].emit("send", {"at": time.monotonic(), "part": self.part, "text": TEXT})
            sent = due
        self.sent = sent

    def wait(self) -> None:
        """Wait until all messages are back, or are lost."""
        patient_until_s = time.monotonic() + PATIENCE_S
        while self.back < self.sent and time.monotonic() < patient_until_s:
            gevent.sleep(0.1)


def kept_waiting_s() -> float:
    """How long this thread was ready to run and another program had its core, as Linux counts it; else 0."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def main(url: str, count: int, seconds: float) -> None:
    """Connect, talk, and print the figures as JSON."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(FileSink(Path(folder), 0, time.time()), time.monotonic())
        gevent.spawn(wire.sweep_deadlines)
        health = Health(recorder)
        health.settle()
        health.watch_collections()
        before_bytes = process.memory_info().rss
        crowd = Crowd(url, recorder)
        began_s = time.monotonic()
        for _ in Pool(CONNECTING).imap_unordered(crowd.join, range(count)):
            pass
        connect_s = time.monotonic() - began_s
        health.settle()
        crowd.talk(WARMUP_S)
        crowd.wait()
        errors = sum(recorder.take()[2].values())
        gevent.spawn(health.probe)
        cpu_s, waited_s = time.process_time(), kept_waiting_s()
        crowd.talk(seconds)
        cpu_s, waited_s = time.process_time() - cpu_s, kept_waiting_s() - waited_s
        crowd.wait()
        ok, _, more = recorder.take()
        back, lag = Histogram(ok[DELIVERY, "sent"]), Histogram(ok[GENERATOR, "lag"])
        figures = {
            "sockets": count,
            "connect_s": connect_s,
            "mb": process.memory_info().rss / 1e6,
            "kb_a_socket": (process.memory_info().rss - before_bytes) / 1024 / count,
            "cpu_us": cpu_s / max(len(back), 1) * 1e6,
            "cpu_percent": cpu_s / seconds * 100,
            "lag_p99_ms": lag.percentile_us(99) / 1000,
            "lag_max_ms": lag.percentile_us(100) / 1000,
            "p50_ms": back.percentile_us(50) / 1000,
            "p99_ms": back.percentile_us(99) / 1000,
            "gc_max_ms": Histogram(ok.get((GENERATOR, "gc"), {})).percentile_us(100) / 1000,
            "back": crowd.back,
            "kept_waiting_ms": waited_s / seconds * 1000,
            "sent": crowd.sent,
            "connected": sum(client.connected for client in crowd.clients),
            "errors": errors + sum(more.values()),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    gc.collect()
    raise_open_files()
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
