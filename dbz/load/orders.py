"""Orders to a generator that runs: so many users from now on. A file of lines that one side adds to and one reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dbz.runs.storage.record import LineFile
from dbz.runs.storage.tail import RecordTail

_FILE = "orders.jsonl"


@dataclass(frozen=True)
class Order:
    """Have so many users, and start or stop the difference at a rate."""

    users: int
    per_s: float


class OrderWriter:
    """Adds orders to the file in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self._file = LineFile(folder / _FILE)
        self.count = 0
        """How many orders were given."""

    def give(self, order: Order) -> None:
        """Add an order; `OSError` when the disk is full."""
        self._file.write(asdict(order))
        self.count += 1

    def close(self) -> None:
        """No more orders will be given."""
        self._file.close()


class OrderReader:
    """Reads the orders, each once."""

    def __init__(self, folder: Path) -> None:
        self._tail = RecordTail(folder / _FILE)

    def new_orders(self) -> Iterator[Order]:
        """What was ordered since the last call."""
        for line in self._tail.new_lines():
            yield Order(**json.loads(line))
