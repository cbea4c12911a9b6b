"""The deliveries of a user whose network is known: the same books, with the receipts of each network apart."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.record.recorder import Samples


class LedgerOfNetwork:
    """A ledger as users of one network have it: what they receive is recorded as of their network."""

    def __init__(self, ledger: DeliveryLedger, recorder: Samples) -> None:
        self._ledger = ledger
        self._recorder = recorder

    def join(self, event: str, channel: Hashable, receiver: Hashable) -> None:
        """From now on `receiver` is expected to get the messages of a channel."""
        self._ledger.join(event, channel, receiver, self._recorder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)
