"""Errors of the scenario's own code: in tasks, in listeners, in users that cannot start, in what prepares the run.

What a user tried and could not do because its code raised is a failed attempt, of kind `task`. Code that prepares or
steers the run (a listener of `test_start`, a load shape, a constructor) leaves a run that is not the one meant when it
fails: that is an error of kind `setup`, and makes the run invalid.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from locust import User

from dbz.load.generator.record.describing import describe_with_line, function_of
from dbz.measure.latency.series import SETUP, TASK

_LIFECYCLE = frozenset(
    {
        "init",
        "init_command_line_parser",
        "quit",
        "quitting",
        "report_to_master",
        "spawning_complete",
        "test_start",
        "test_stop",
        "test_stopping",
        "worker_connect",
    }
)


class ErrorSink(Protocol):
    """Takes errors: a recorder, or the marks of a process that records nothing."""

    def failure(self, kind: str, name: str, seconds: float, error: str) -> None:
        """An attempt that failed."""

    def note_error(self, kind: str, name: str, error: str) -> None:
        """An error that has no duration."""


class ScenarioErrors:
    """Takes every error of the scenario's code in this process, each once."""

    def __init__(self, sink: ErrorSink) -> None:
        self._sink = sink
        self._died = 0
        self.setup = ""
        """The first error of code that prepares or steers the run; empty while there is none."""
        self.on_setup_error: Callable[[], None] = lambda: None
        """Called when there is one: what follows would be for nothing."""

    def report_to(self, sink: ErrorSink) -> None:
        """From now on errors go there: the record is complete, and listeners of the end are yet to be called."""
        self._sink = sink

    def on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        """A listener of Locust's `user_error`: a task or an `on_start` raised."""
        if getattr(exception, "dbz_noted", False):  # an `on_start` that raises is told of, and then ends its user
            return
        with contextlib.suppress(AttributeError):
            exception.dbz_noted = True  # type: ignore[attr-defined]
        user = user_instance if isinstance(user_instance, User) else user_instance.user
        self._sink.failure(TASK, f"{type(user).__name__}.{function_of(exception)}", 0.0, describe_with_line(exception))

    def on_user_died(self, user: Any, exception: BaseException) -> None:
        """A user's greenlet ended by an exception: it does nothing for the rest of the run."""
        self._died += 1
        if isinstance(exception, SystemExit):
            self._fail(f"a task of {type(user).__name__}", f"it ended the program with exit({exception.code!r})")
        else:
            self.on_user_error(user, exception)

    def on_listener_error(self, event: str, exception: BaseException) -> None:
        """A listener raised."""
        if event in _LIFECYCLE:
            self._fail(f"a listener of {event}", describe_with_line(exception))
        else:
            self._sink.failure(TASK, f"listener of {event}", 0.0, describe_with_line(exception))

    def on_greenlet_error(self, exception: BaseException) -> None:
        """One of Locust's own greenlets ended: users could not be made, a shape could not say how many."""
        self._fail(function_of(exception), describe_with_line(exception))

    def take_counts(self) -> dict[str, int]:
        """Users that died since the last call."""
        died, self._died = self._died, 0
        return {"died": died} if died else {}

    def _fail(self, what: str, error: str) -> None:
        self.setup = self.setup or f"{what} failed: {error}"
        self._sink.note_error(SETUP, what, error)
        self.on_setup_error()
