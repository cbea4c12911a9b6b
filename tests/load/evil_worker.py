"""Says to a master what no worker would: `python -m tests.load.evil_worker PORT MODE`.

The mode `stranger` does not know the secret of the run, and prints whatever it is told. `insider` knows it (the
variable DBZ_WORKER_SECRET), and sends what cannot be understood, and records that nobody asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any

import msgpack
import zmq

import dbz
from dbz.load.generator.net.channel import Channel
from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.interval_log import Interval, line
from dbz.measure.latency.series import Series


def _strangers(port: int) -> list[Any]:
    """One who speaks plainly, and one who has another secret."""
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.setsockopt(zmq.IDENTITY, b"plain")
    plain.connect(f"tcp://127.0.0.1:{port}")
    return [plain, Channel("not the secret").connect("127.0.0.1", port, "guesser").socket]


def _told(socket: Any, seconds: float) -> list[Any]:
    end, messages = time.monotonic() + seconds, []
    while time.monotonic() < end:
        try:
            messages.append(msgpack.loads(socket.recv(zmq.NOBLOCK), raw=False))
        except zmq.Again:
            time.sleep(0.05)
    return messages


def _invented(number: int) -> dict[str, Any]:
    histogram = Histogram()
    histogram.record(1000, 5000)
    intervals = [line(Interval(Series("http", "GET /invented"), float(second), 1.0, histogram)) for second in range(9)]
    seconds = {"t": 9.0, "dt": 1.0, "users": 1, "cpu_percent": 1.0, "errors": [], "deliveries": {}}
    return {"worker": number, "ticket": "", "intervals": intervals, "line": seconds}


class Evil:
    """One socket that speaks to the master."""

    def __init__(self, socket: Any, name: str) -> None:
        self._socket = socket
        self._name = name

    def send(self, kind: Any, data: Any, sender: str = "") -> None:
        """Send a well-formed message; who cannot even connect sends nothing."""
        self.send_raw(msgpack.dumps((kind, data, sender or self._name)))

    def send_raw(self, *parts: bytes) -> None:
        """Send any bytes."""
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(parts, zmq.NOBLOCK)

    def babble(self) -> None:
        """What cannot be understood, and what says something impossible."""
        for raw in (b"", b"\x05", b"\xff\xff", b"\xc1", b"\x93\xa1a\xc0\xa1b", msgpack.dumps([1, 2, 3])):
            self.send_raw(raw)
        self.send_raw(b"two", b"parts")
        for data in (None, 7, [], {}, {"worker": "x"}, {"worker": 0, "ticket": "x", "intervals": 1, "line": 2}):
            for kind in ("dbz_record", "dbz_join", "heartbeat", "stats", "spawning_complete", "exception", "logs"):
                self.send(kind, data)
        self.send("client_stopped", None, "somebody else")
        self.send(7, None)

    def pose_as_worker(self) -> None:
        """Send results that nobody measured, and ask for orders."""
        for number in (0, 1, 7):
            self.send("dbz_record", _invented(number))
        self.send("dbz_join", {"version": dbz.__version__})
        self.send("client_ready", -1)


def main() -> None:
    """Do it."""
    port, mode = int(sys.argv[1]), sys.argv[2]
    if mode == "stranger":
        sockets = _strangers(port)
    else:
        sockets = [Channel(os.environ["DBZ_WORKER_SECRET"]).connect("127.0.0.1", port, "evil").socket]
    for socket, name in zip(sockets, ("plain", "guesser") if mode == "stranger" else ("evil",), strict=True):
        time.sleep(0.3)
        evil = Evil(socket, name)
        if mode == "stranger":
            evil.pose_as_worker()
        else:
            evil.babble()
            for number in (0, 1, 7):
                evil.send("dbz_record", _invented(number))
    for socket in sockets:
        for message in _told(socket, 1.5):
            sys.stdout.write(f"told: {message}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
