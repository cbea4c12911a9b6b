"""Deliveries over several workers, as master and workers speak of them: when to stop following, what is on its way.

For workers of other machines the master also hands on what they announce to each other, and answers what time it is.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from gevent.event import AsyncResult
from locust.rpc import Message

from dbz.load.generator.deliveries.bus import MasterBus, handed_on
from dbz.load.generator.deliveries.ledger import DEADLINE_S, DeliveryLedger
from dbz.load.spec import GeneratorSpec

END_OF_JUDGED, SETTLED, ANNOUNCED, CLOCK = "dbz_end_of_judged", "dbz_settled", "dbz_announced", "dbz_clock"
_LISTEN_S = 0.02
_CLOCK_ROUNDS = 8
_CLOCK_PATIENCE_S = 1.0


class MasterRelay:
    """The master's side."""

    def __init__(self, spec: GeneratorSpec, runner: Any) -> None:
        self._spec = spec
        self._runner = runner
        self._settled: set[str] = set()
        runner.register_message(SETTLED, self._on_settled)
        runner.register_message(ANNOUNCED, self._on_announced)
        runner.register_message(CLOCK, self._on_clock)

    def end_at(self, end_s: float) -> None:
        """Tell the workers when the judged part ends (monotonic clock)."""
        self._runner.send_message(END_OF_JUDGED, {"end_s": end_s - self._spec.started_monotonic_s})

    def pending(self) -> bool:
        """Whether a worker waits for a message of the judged part."""
        return any(client.id not in self._settled for client in self._runner.clients.all)

    def _on_settled(self, msg: Any, **_: Any) -> None:
        self._settled.add(msg.node_id)

    def _on_announced(self, msg: Any, **_: Any) -> None:
        for client in self._runner.clients.all:
            if client.id != msg.node_id:
                self._runner.server.send_to_client(Message(ANNOUNCED, msg.data, client.id))

    def _on_clock(self, msg: Any, **_: Any) -> None:
        now_s = time.monotonic() - self._spec.started_monotonic_s
        self._runner.server.send_to_client(Message(CLOCK, {**msg.data, "now_s": now_s}, msg.node_id))


class WorkerRelay:
    """The worker's side; `bus` is None where workers share memory, or where there is only one."""

    def __init__(self, spec: GeneratorSpec, runner: Any, ledger: DeliveryLedger, bus: MasterBus | None) -> None:
        self._spec = spec
        self._runner = runner
        self._ledger = ledger
        self._bus = bus
        self._answer = AsyncResult()
        self._waiting: Any = None
        self.clock_error_ms: float | None = None
        """How far this worker's clock may be from the master's; None while unknown, or where they are one."""
        runner.register_message(END_OF_JUDGED, self._on_end)
        runner.register_message(ANNOUNCED, self._on_announced)
        runner.register_message(CLOCK, self._on_clock)
        if bus is not None:
            bus.send = lambda frames: runner.send_message(ANNOUNCED, {"frames": frames})
            gevent.spawn(self._compare_clocks, bus)

    def _on_end(self, msg: Any, **_: Any) -> None:
        end_s = self._spec.started_monotonic_s + float(msg.data["end_s"])
        self._ledger.end_at(end_s)
        if self._waiting is not None:
            self._waiting.kill(block=False)
        self._waiting = gevent.spawn(self._settle, end_s)

    def _settle(self, end_s: float) -> None:
        """Tell the master as soon as nobody here waits for a message of the judged part."""
        gevent.sleep(max(end_s - time.monotonic(), 0.0) + 2 * _LISTEN_S)  # what was sent last is known by then
        while self._ledger.pending() and time.monotonic() < end_s + DEADLINE_S:
            gevent.sleep(_LISTEN_S)
        self._runner.send_message(SETTLED, {})

    def _on_announced(self, msg: Any, **_: Any) -> None:
        if self._bus is not None:
            self._bus.receive(handed_on(msg.data))

    def _compare_clocks(self, bus: MasterBus) -> None:
        """Ask the master for its time, and believe the answer that came back fastest: it is exact to half its way."""
        best_s = float("inf")
        for number in range(_CLOCK_ROUNDS):
            self._answer = AsyncResult()
            asked_s = time.monotonic()
            self._runner.send_message(CLOCK, {"number": number})
            try:
                answered_s, data = self._answer.get(timeout=_CLOCK_PATIENCE_S)
            except gevent.Timeout:
                continue
            if data.get("number") == number and answered_s - asked_s < best_s:
                best_s = answered_s - asked_s
                bus.started_s = (asked_s + answered_s) / 2 - float(data["now_s"])
                self.clock_error_ms = round(best_s * 500, 3)

    def _on_clock(self, msg: Any, **_: Any) -> None:
        self._answer.set((time.monotonic(), msg.data))


def listen(ledger: DeliveryLedger) -> None:
    """Take up what other workers announce, again and again; never returns."""
    while True:
        ledger.hear()
        gevent.sleep(_LISTEN_S)
