"""HTTP clients for tests, and what they recorded."""

from collections.abc import Iterator

import gevent
import pytest

from dbz.load.generator import wire
from dbz.load.generator.http import HttpClient


@pytest.fixture
def deadline_sweep() -> Iterator[None]:
    """The greenlet that ends waits whose deadline has passed, as in a generator process."""
    sweep = gevent.spawn(wire.sweep_deadlines)
    yield
    sweep.kill()


class Ledger:
    """What a client recorded: (operation, error), in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def __call__(self, answer, operation: str, elapsed_s: float) -> None:
        assert elapsed_s >= 0
        self.rows.append((operation, answer.error))


def client_of(url: str, ledger: Ledger | None = None, **options) -> tuple[HttpClient, Ledger]:
    """A client and what it records."""
    ledger = ledger or Ledger()
    return HttpClient(url, ledger, **options), ledger
