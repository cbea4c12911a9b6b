"""What the users of one generator process share: recorder, deliveries, seats and seeded random numbers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dbz.load.generator.data.metrics import OwnMetrics
from dbz.load.generator.data.ownership import Ownership
from dbz.load.generator.deliveries.bus import MasterBus, MemoryBus
from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.deliveries.relay import WorkerRelay
from dbz.load.generator.hooks import call_listener
from dbz.load.generator.record.answers import AnswerCosts
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.scenario_errors import ScenarioErrors
from dbz.load.generator.record.services import AnsweringServices
from dbz.load.generator.record.sinks import Sink
from dbz.load.generator.record.stats_feed import feed
from dbz.load.generator.record.tally import RequestTallies
from dbz.load.generator.setup.once import Shared
from dbz.load.planning.networks import Network, network_at
from dbz.load.planning.slots import Slots, place_in_clubs
from dbz.load.spec import GeneratorRole, GeneratorSpec

_OURS = ("dbz.", "locust.")


class RequestRepetition(Protocol):
    """Carries the requests of a load that is a URL."""

    def lane(self, user: Any, operation: str) -> Any:
        """What carries the requests of a user; None when the user has to make them."""


class Session:
    """One run in one generator process."""

    def __init__(self, spec: GeneratorSpec, sink: Sink) -> None:
        self.spec = spec
        self.recorder = Recorder(sink, spec.started_monotonic_s)
        self.answers = AnswerCosts()
        self.services = AnsweringServices(spec.service_header)
        self.tallies = RequestTallies(self.services)
        """What is counted of requests whose answers were known."""
        self.errors = ScenarioErrors(self.recorder)
        self.metrics = OwnMetrics(self.recorder)
        self.ownership = Ownership()
        self.shared = Shared()
        self.bus = self._make_bus()
        self.deliveries = DeliveryLedger(self.recorder, bus=self.bus)
        self.relay: WorkerRelay | None = None
        self.repetition: RequestRepetition | None = None
        """What carries the requests of a URL; None for the ordinary client."""
        self.counting_listeners = 0
        """How many listeners of Locust's request event only count requests, as the recorder does."""
        self._request_event: Any = None
        self.shares: Mapping[str, float] = {}
        """Which share of all users each group is."""
        self._seats: Counter[str] = Counter()
        self._slots: dict[str, Slots] = {}

    def take_seat(self, group: str) -> int:
        """A number, from 0, that no other user of the group has, in this or another process of the run."""
        own = self._seats[group]
        self._seats[group] += 1
        return own * self.spec.workers + self.spec.worker

    def take_slot(self, group: str) -> int:
        """The lowest number, from 0, that no user of the group has now; unlike a seat it is used again later."""
        slots = self._slots.setdefault(group, Slots(self.spec.worker, self.spec.workers))
        return slots.take()

    def give_back_slot(self, group: str, slot: int) -> None:
        """The user that had it has ended."""
        self._slots[group].give_back(slot)

    def place_of(self, group: str, slot: int) -> tuple[int, int]:
        """The club of the user of a group that has a slot, and which of the club's users of that group it is.

        Users go round all clubs; in a load that grows they fill one after another, so that a club keeps its size.
        """
        per_club = self.spec.users_per_club and max(self.spec.users_per_club * self.shares.get(group, 1.0), 1.0)
        return place_in_clubs(slot, self.spec.clubs, per_club)

    def network_of(self, group: str, seat: int) -> Network | None:
        """The network of the user in a seat; None in a load without networks."""
        networks = self.spec.networks
        return network_at(networks, self.random_for("networks", group).random(), seat) if networks else None

    def random_for(self, *identity: object) -> random.Random:
        """Random numbers that depend on the seed of the run and on who asks, and on nothing else."""
        return random.Random(f"{self.spec.seed}:{identity}")

    def watch_requests(self, environment: Any) -> None:
        """Fill Locust's statistics with what our users do, and see who else listens to requests.

        Called when Locust's own listeners are there.
        """
        self._request_event = environment.events.request
        self.counting_listeners = sum(map(_only_counts, self._request_event._handlers))
        self.tallies.listeners, self.tallies.counting_listeners = self.request_listeners, self.counting_listeners
        self.recorder.taken = lambda ok, failed, errors: feed(environment.stats, ok, failed, errors)

    @property
    def request_listeners(self) -> list[Any]:
        """All listeners of Locust's request event."""
        listeners: list[Any] = self._request_event._handlers
        return listeners

    def tell_of_request(self, **arguments: Any) -> None:
        """Fire Locust's request event for the listeners of the scenario; ours and Locust's have counted it already."""
        for handler in self.request_listeners.copy():
            if not _only_counts(handler):
                call_listener(self._request_event, handler, arguments, self.errors)

    def take_counts(self) -> dict[str, Any]:
        """What happened since the last call, for the line of the record."""
        self.tallies.pour(self.recorder, self.answers)
        counts: dict[str, Any] = {"deliveries": self.deliveries.take_counts(), **self.errors.take_counts()}
        if drained := self.deliveries.take_counts(after_end=True):
            counts["drained"] = drained
        if astray := self.deliveries.take_astray():
            counts["astray"] = astray
        if answers := self.answers.take():
            counts["answers"] = answers
        if self.relay is not None and self.relay.clock_error_ms is not None:
            counts["clock_error_ms"] = self.relay.clock_error_ms
        return counts

    def close(self) -> None:
        """The record is complete."""
        self.recorder.close()
        if self.bus is not None:
            self.bus.close()

    def _make_bus(self) -> MemoryBus | MasterBus | None:
        spec = self.spec
        if spec.workers == 1 or spec.role is GeneratorRole.LOCAL:
            return None
        if spec.role is GeneratorRole.REMOTE:
            return MasterBus(spec.started_monotonic_s, self.recorder)
        return MemoryBus(Path(spec.folder), spec.worker, spec.workers, self.recorder)


def _only_counts(handler: Any) -> bool:
    return str(getattr(handler, "__module__", "")).startswith(_OURS)


def session_of(environment: Any) -> Session:
    """The session that dbz attached to a Locust environment."""
    session = getattr(environment, "dbz_session", None)
    if not isinstance(session, Session):
        raise TypeError("these users measure through dbz: run the file with `dbz load FILE.py`")
    return session
