"""What the users of one generator process share: recorder, deliveries, seats and seeded random numbers."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from dbz.load.generator.record.deliveries import DeliveryLedger
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.sinks import Sink
from dbz.load.spec import GeneratorSpec


class Session:
    """One run in one generator process."""

    def __init__(self, spec: GeneratorSpec, sink: Sink) -> None:
        self.spec = spec
        self.recorder = Recorder(sink, spec.started_monotonic_s)
        self.deliveries = DeliveryLedger(self.recorder)
        self._seats: Counter[str] = Counter()

    def take_seat(self, group: str) -> int:
        """A number, from 0, that no other user of the group has, in this or another process of the run."""
        own = self._seats[group]
        self._seats[group] += 1
        return own * self.spec.workers + self.spec.worker

    def random_for(self, *identity: object) -> random.Random:
        """Random numbers that depend on the seed of the run and on who asks, and on nothing else."""
        return random.Random(f"{self.spec.seed}:{identity}")


def session_of(environment: Any) -> Session:
    """The session that dbz attached to a Locust environment."""
    session = getattr(environment, "dbz_session", None)
    if not isinstance(session, Session):
        raise TypeError("these users measure through dbz: run the file with `dbz load FILE.py`")
    return session
