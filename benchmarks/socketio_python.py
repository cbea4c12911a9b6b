"""python-socketio's own client under gevent, as Locust's Socket.IO users have it, in the Socket.IO benchmark."""

# ruff: noqa: I001 the standard library is patched before anything else is imported
from __future__ import annotations

from socketio_members import Member, run

import time
from typing import Any

import socketio

latencies_s: list[float] = []


def join(url: str, _number: int) -> Member:
    """Connect one member."""
    client = socketio.Client()
    client.on("said", lambda message: latencies_s.append(time.monotonic() - message["at"]))
    client.connect(url, transports=["websocket"])

    def ask(message: dict[str, Any]) -> None:
        asked_s = time.monotonic()
        client.call("ask", message)
        latencies_s.append(time.monotonic() - asked_s)

    return Member(lambda message: client.emit("say", message), ask)


def latencies_ms(_work: str) -> tuple[int, float, float]:
    """Count, median and 95th percentile of what arrived, or was answered."""
    ordered = sorted(latencies_s)
    return len(ordered), *(ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.95))


if __name__ == "__main__":
    run(join, lambda _key, _member: None, latencies_ms)
