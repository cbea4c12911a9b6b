"""What setup returned, handed by the master to the workers of its own and of other machines."""

from __future__ import annotations

from typing import Any

from locust.rpc import Message

from dbz.load.generator.setup.once import ASK_MESSAGE, SHARED_MESSAGE, Preparation


class SharedByMaster:
    """The master's side: gives what setup returned to every worker that asks, as soon as it is there."""

    def __init__(self, runner: Any, preparation: Preparation) -> None:
        self._runner = runner
        self._preparation = preparation
        self._asking: set[str] = set()
        runner.register_message(ASK_MESSAGE, self._on_ask)

    def publish(self) -> None:
        """It is there: answer those who asked."""
        for node_id in sorted(self._asking):
            self._answer(node_id)

    def _on_ask(self, msg: Any, **_: Any) -> None:
        self._asking.add(msg.node_id)
        if self._preparation.shared is not None:
            self._answer(msg.node_id)

    def _answer(self, node_id: str) -> None:
        assert self._preparation.shared is not None
        self._runner.server.send_to_client(
            Message(SHARED_MESSAGE, {"json": self._preparation.shared.decode()}, node_id)
        )
