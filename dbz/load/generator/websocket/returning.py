"""What sockets that come back by themselves have in common: connecting in several attempts, and handlers that fail."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gevent
from gevent.exceptions import BlockingSwitchOutError

from dbz.load.generator.net.faults import TransportError
from dbz.load.generator.record.describing import describe_with_line
from dbz.load.generator.record.recorder import Samples
from dbz.measure.latency.series import TASK

ATTEMPTS = 20
"""How often connecting is tried before the user gives up."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


def _pause_s(attempt: int) -> float:
    """Growing, and different for each: who was lost together must not come back together."""
    return min(_FIRST_PAUSE_S * 2.0**attempt, _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)


def handler_error(error: Exception) -> str:
    """What a handler of the scenario raised, in one line."""
    if isinstance(error, BlockingSwitchOutError):
        return "HandlerBlocks: a handler must not wait, for it holds up all users; spawn a greenlet for that"
    return describe_with_line(error)


class ReturningSocket(ABC):
    """A socket that is wanted, or not; one that is wanted is opened again when it was lost."""

    __slots__ = ("_recorder", "_returning", "_wanted", "on_connected")

    def __init__(self, recorder: Samples) -> None:
        self.on_connected: Callable[[], Any] = lambda: None
        """Called, in a greenlet, after each connect and reconnect."""
        self._recorder = recorder
        self._wanted = False
        self._returning: Any = None

    @abstractmethod
    def disconnect(self) -> None:
        """Close for good."""

    @abstractmethod
    def _attempt(self) -> None:
        """Try once to open it, and record how that went; `TransportError`."""

    def _connect(self, attempts: int = ATTEMPTS) -> None:
        """Open it, trying again with growing pauses; the last attempt's `TransportError` is raised."""
        self._wanted = True
        for attempt in range(1, attempts + 1):
            try:
                self._attempt()
                break
            except TransportError:
                if attempt == attempts or not self._wanted:
                    raise
                gevent.sleep(_pause_s(attempt))
        if self._wanted:
            self.on_connected()
        else:  # given up meanwhile
            self.disconnect()

    def _come_back(self) -> None:
        """Open it again a little later, in a greenlet of its own."""
        self._returning = gevent.spawn(self._return)

    def _stay_away(self) -> None:
        """Do not open it again."""
        self._wanted = False
        if self._returning is not None and self._returning is not gevent.getcurrent():
            self._returning.kill(block=False)

    def _return(self) -> None:
        gevent.sleep(_pause_s(0))
        try:
            if self._wanted:
                self._connect()
        except TransportError:
            self._wanted = False  # every attempt is recorded as a failure already
        except Exception as error:
            self._recorder.failure(TASK, "on_connected", 0.0, handler_error(error))
