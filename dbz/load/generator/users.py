"""Base classes of virtual users. A Locust scenario ports by changing its base class to one of these."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any

import gevent
from gevent.pool import Group
from locust import User
from locust.exception import CatchResponseError

from dbz.load.generator.data.checks import CheckFailedError, problem_of
from dbz.load.generator.deliveries.ledger import DeliveryLedger
from dbz.load.generator.deliveries.of_network import LedgerOfNetwork
from dbz.load.generator.http import HttpClient
from dbz.load.generator.http.client import UNFINISHED_ERROR, never_counted
from dbz.load.generator.http.response import Response
from dbz.load.generator.net.access.user import UserAccess
from dbz.load.generator.pace.lateness import take_lateness_s
from dbz.load.generator.record.recorder import Recorder, TaggedSamples
from dbz.load.generator.record.stats_feed import method_and_name
from dbz.load.generator.session import session_of
from dbz.load.generator.socketio.client import SocketClient
from dbz.load.generator.websocket.raw import RawSocket
from dbz.measure.latency.series import COMPOSITE, HTTP, SERVICE, UNFINISHED
from dbz.protocols import json_path

UNFINISHED_S = 1.0
"""A request that was under way for longer when its user was stopped counts as failed; a shorter one as not made."""


_LOOKS_EVERY_S = 0.02


class HttpUser(User):  # type: ignore[misc]
    """A user with an HTTP client in `self.client`, recorded as `http`.

    `self.seat` is this user's number among all users of `seat_group` (default: its class), over all processes;
    `self.random` gives numbers that depend only on the run's seed and the seat. `self.slot` is a number too, the lowest
    that is free: it is given back when the user ends, and used again. `own_requests_per_s` is how many requests a
    second one user makes at its own pace: only needed where a profile's `requests` paces the others.
    """

    abstract = True
    seat_group = ""
    arrival: Mapping[str, Any] = MappingProxyType({})
    """In a load with recorded `arrivals`: the line of the one that this task began with."""
    own_requests_per_s = 0.0
    care: tuple[str, ...] = ()
    """What the app of this user takes care of, by names of its own; a load may leave out any of it (`--without`)."""
    network = ""
    """The name of the network that this user is on, in a load whose profile has a `network`."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.session = session_of(environment)
        self.requests_made = 0
        self._answers = self.session.answers
        self._services = self.session.services
        self._listeners = self.session.request_listeners
        self.seat_group = group = self.seat_group or type(self).__name__
        self.seat, self.slot = self.session.take_seat(group), self.session.take_slot(group)
        self.recorder: Recorder | TaggedSamples = self.session.recorder
        self.access: UserAccess | None = None
        network = self.session.network_of(group, self.seat)
        if network is not None:
            self.network = network.name
            self.recorder = self.session.recorder.tagged(network.name)
            if network.shaped:
                self.access = UserAccess(network, self.session.random_for("network", group, self.seat))
        # Requests with an intended start, or the tag of a network, are recorded one by one.
        is_counted = not (self.session.spec.is_paced or self.session.spec.networks)
        count = self.session.tallies.count if is_counted else never_counted
        self.base_url = str(self.host or environment.host or self.session.spec.target)
        self.client = HttpClient(self.base_url, self._record, count=count, access=self.access)
        self.client.redirect_hosts.update(self.session.spec.allowed_targets)

    @cached_property
    def random(self) -> Random:
        """Numbers of this user's own. Made when asked for: their state is half of what a user takes."""
        return self.session.random_for(self.seat_group, self.seat)

    @property
    def shared(self) -> Any:
        """What the scenario's setup returned, the same object for all users of a worker; None without a setup."""
        return self.session.shared.get()

    def takes_care(self, name: str) -> bool:
        """Whether the app takes care of one thing in `care`: unless the load is one `without` it."""
        return name in self.care and name not in self.session.spec.without

    @contextmanager
    def composite(self, name: str) -> Iterator[Group]:
        """Measure several requests as one user action, recorded as `composite`.

        Yields a group: spawn requests in it to make them in parallel; the action ends when the last one has. It fails
        when any request in it fails.
        """
        group = Group()
        started_s, self._failed_in_composite = self.recorder.now_s, ""
        yield group
        group.join()
        elapsed_s = self.recorder.now_s - started_s
        if self._failed_in_composite:
            self.recorder.failure(COMPOSITE, name, elapsed_s, self._failed_in_composite)
        else:
            self.recorder.success(COMPOSITE, name, elapsed_s)

    def pause(self, shortest_s: float, longest_s: float) -> None:
        """Do nothing for a while, as people do: between so many seconds, by the user's own random numbers."""
        gevent.sleep(self.random.uniform(shortest_s, longest_s))

    def wait_for(self, attribute: str, longest_s: float = 10.0) -> Any:
        """Wait until what arrives has set an attribute of this user, and give its value.

        `TimeoutError`, which counts as an error of the run, when it is not there in time.
        """
        with gevent.Timeout(longest_s, TimeoutError(f"{attribute} did not arrive within {longest_s:g} s")):
            while not hasattr(self, attribute):
                gevent.sleep(_LOOKS_EVERY_S)
        return getattr(self, attribute)

    def measure(self, name: str, seconds: float) -> None:
        """Record how long something took that is no single request; budgets name it `measure{name="…"}`.

        `ValueError`, which counts as an error of the run, for what is no duration.
        """
        self.session.metrics.measure(name, seconds)

    def count(self, name: str, amount: float = 1) -> None:
        """Count something up; budgets name it `counter{name="…"}`. An `amount` of 0 only says that the counter exists.

        `ValueError`, which counts as an error of the run, for what cannot be counted.
        """
        self.session.metrics.count(name, amount)

    def check(self, answer: Response, *, own: str | tuple[str, ...] = (), **demands: Any) -> None:
        """Demand something of an answer: `status`, `json`, `text`, `headers`, as `dbz.load.generator.data.checks` says.

        At the JSONPaths `own` stand values of this user alone: always the same, and never given to another one.

        In the `with` block of a request that may be judged (`catch_response=True`) a broken demand makes the request a
        failure; elsewhere it raises `CheckFailedError`, which ends the task and counts as an error of the run.
        """
        problem = problem_of(answer, **demands)
        if own and not problem:
            paths = (own,) if isinstance(own, str) else own
            problem = self.session.ownership.problem_of((self.seat_group, self.seat), answer, *paths)
        if problem and answer.is_open:
            answer.failure(problem)
        elif not problem:
            answer.judged = True
        else:
            raise CheckFailedError(f"{answer.operation}: {problem}")

    def pick(self, answer: Response, json: str, otherwise: Any = None) -> Any:
        """One of the values at a JSONPath of an answer, like `$.rooms[*].id`, by the user's own random numbers.

        `otherwise` when the answer holds none, or is no JSON.
        """
        try:
            tree = answer.json()
        except ValueError:
            tree = None
        values = json_path.find(json, tree)
        return self.random.choice(values) if values else otherwise

    def background(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Let the user do something beside its tasks; it ends with the user, and what it raises is counted."""
        greenlet = gevent.spawn(call, *arguments)
        greenlet.link_exception(lambda ended: self.session.errors.on_user_error(self, ended.exception))
        self._background = self._background or Group()
        self._background.add(greenlet)

    def start(self, group: Any) -> Any:
        """Begin; the connections are closed at the end also when a scenario has an `on_stop` of its own."""
        greenlet = super().start(group)
        greenlet.link(lambda _: self._leave())
        return greenlet

    def _leave(self) -> None:
        if self._background is not None:
            self._background.kill(block=False)
        self.client.close()
        self.session.ownership.forget((self.seat_group, self.seat))
        self.session.give_back_slot(self.seat_group, self.slot)

    def on_stop(self) -> None:
        """Close the connections."""
        self.client.close()

    _failed_in_composite = ""
    _background: Group | None = None

    def _ledger(self) -> DeliveryLedger | LedgerOfNetwork:
        ledger = self.session.deliveries
        return LedgerOfNetwork(ledger, self.recorder) if self.network else ledger

    def _record(self, response: Response, operation: str, elapsed_s: float) -> None:
        self.requests_made += 1
        service = self._services.of_head(response.head, operation, failed=bool(response.error))
        recorder = self.session.recorder.tagged(self.network, service) if service else self.recorder
        if response.error.startswith(UNFINISHED_ERROR):
            if elapsed_s > UNFINISHED_S:
                recorder.failure(UNFINISHED, operation, elapsed_s, response.error)
            return
        if response.first_byte_s:
            self._answers.add(operation, response)
        lateness_s = take_lateness_s()
        if lateness_s:
            recorder.success(SERVICE, operation, elapsed_s)
            elapsed_s += lateness_s
        if response.error:
            self._failed_in_composite = f"{operation}: {response.error}"
            recorder.failure(HTTP, operation, elapsed_s, response.error)
        else:
            recorder.success(HTTP, operation, elapsed_s)
            recorder.objections.look_at(response, operation)
        # Locust's and our own listeners only count, which is done; an event is fired when somebody else listens.
        if len(self._listeners) > self.session.counting_listeners:
            self._tell_of_request(response, operation, elapsed_s)

    def _tell_of_request(self, response: Response, operation: str, elapsed_s: float) -> None:
        method, name = method_and_name(HTTP, operation)
        self.session.tell_of_request(
            request_type=method,
            name=name,
            response_time=elapsed_s * 1000,
            response_length=response.size,
            response=response,
            context={**self.context(), **response.context},
            exception=CatchResponseError(response.error) if response.error else None,
            start_time=time.time() - elapsed_s,
            url=response.url,
        )


class SocketUser(HttpUser):
    """A user that also has a Socket.IO connection in `self.socket`.

    Call `self.socket.connect(auth)` in `on_start`; `on_connected` is called after that and after each reconnect.
    `self.deliveries` measures messages from one user's emit to the other users' receipt.
    """

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.deliveries = self._ledger()
        self.socket = SocketClient(
            self.base_url, self.recorder, cookies=lambda: self.client.cookies, access=self.access
        )
        self.socket.on_connected = self.on_connected

    def on_connected(self) -> None:
        """Join rooms here; called in a greenlet, so it may wait for acknowledgements."""

    def on_stop(self) -> None:
        """Close the socket and the connections."""
        self.socket.disconnect()
        super().on_stop()


class WebSocketUser(HttpUser):
    """A user that also has a WebSocket in `self.socket`, for servers with a protocol of their own.

    Say how it is reached in `self.socket.options` and call `self.socket.connect()` in `on_start`; `on_connected` is
    called after that and after each reconnect. `self.deliveries` measures messages from one user to the others.
    """

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.deliveries = self._ledger()
        self.socket = RawSocket(self.base_url, self.recorder, cookies=lambda: self.client.cookies, access=self.access)
        self.socket.on_connected = self.on_connected
        self.socket.on_message = self.on_message

    def on_connected(self) -> None:
        """Say hello or join rooms here; called in a greenlet, so it may wait for answers."""

    def on_message(self, message: Any) -> None:
        """Take a message; called on the event loop, so it must not wait."""

    def on_stop(self) -> None:
        """Close the socket and the connections."""
        self.socket.disconnect()
        super().on_stop()
