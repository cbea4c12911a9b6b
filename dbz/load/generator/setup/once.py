"""What a scenario does once a run, whatever number of workers and machines there are: its setup and its teardown.

The process that steers the run does it: the only one, or the master. What setup returns travels to the workers as JSON,
and every user has it as `self.shared`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, overload

import gevent
import orjson
from gevent.event import AsyncResult, Event

from dbz.errors import UsageError
from dbz.load.generator.data.checks import CheckFailedError, problem_of
from dbz.load.generator.http import HttpClient
from dbz.load.generator.http.response import Response
from dbz.load.generator.record.describing import describe_with_line
from dbz.load.spec import GeneratorSpec
from dbz.measure.latency.series import SETUP
from dbz.runs.storage.record import SETUP_NAME, SETUP_UNTIL, TEARDOWN_NAME, TEARDOWN_UNTIL

PATIENCE_S = 60.0
"""How long setup and teardown may take when they do not say it themselves."""
ASK_MESSAGE, SHARED_MESSAGE = "dbz_ask_shared", "dbz_shared"
_SHARED_WITHIN_S = 30.0
_MOST_BYTES = 16_000_000

Act = Callable[["OnceARun"], Any]


class _Registered:
    """The functions that the scenario of this process has named."""

    setup: Act | None = None
    teardown: Act | None = None
    setup_s = teardown_s = PATIENCE_S


@overload
def setup(function: Act) -> Act: ...
@overload
def setup(*, timeout: float = PATIENCE_S) -> Callable[[Act], Act]: ...
def setup(function: Act | None = None, *, timeout: float = PATIENCE_S) -> Any:
    """Decorate the function that prepares a run, before any user starts; `timeout` in seconds.

    It gets a `OnceARun`, and what it returns (plain data, as JSON has it) every user has as `self.shared`. When it
    raises, or a request of its `client` fails, there is no load. `UsageError` when there is another one.
    """
    return _register("setup", function, timeout)


@overload
def teardown(function: Act) -> Act: ...
@overload
def teardown(*, timeout: float = PATIENCE_S) -> Callable[[Act], Act]: ...
def teardown(function: Act | None = None, *, timeout: float = PATIENCE_S) -> Any:
    """Decorate the function that cleans up when all users have stopped, also after an interrupted run.

    It gets a `OnceARun` with what setup returned, and is not called when setup failed. `UsageError` when there is
    another one.
    """
    return _register("teardown", function, timeout)


def _register(what: str, function: Act | None, timeout: float) -> Any:
    def decorate(function: Act) -> Act:
        known = getattr(_Registered, what)
        if known is not None and known.__code__.co_filename == function.__code__.co_filename:
            raise UsageError(
                f"the scenario has two functions for {what}: {known.__name__} and {function.__name__}", code="L006"
            )
        setattr(_Registered, what, staticmethod(function))
        setattr(_Registered, f"{what}_s", float(timeout))
        return function

    return decorate if function is None else decorate(function)


def prepares() -> bool:
    """Whether the scenario of this process has a setup."""
    return _Registered.setup is not None


class RequestFailedError(Exception):
    """A request of setup or teardown failed."""


class OnceARun:
    """What setup and teardown are given."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self.target = spec.target
        """The base URL of the load."""
        self.users = spec.users
        """How many users there will be."""
        self.seed = spec.seed
        """The seed of the run."""
        self.shared: Any = None
        """What setup returned; None in setup itself."""
        self.client = HttpClient(spec.target or next(iter(spec.hosts), ""), self._judge)
        """An HTTP client whose requests are not part of the load; one that fails raises `RequestFailedError`."""
        self.client.redirect_hosts.update(spec.allowed_targets)

    def check(self, answer: Response, **demands: Any) -> None:
        """Demand something of an answer, as users do; a broken demand raises `CheckFailedError`."""
        if problem := problem_of(answer, **demands):
            raise CheckFailedError(f"{answer.operation}: {problem}")

    def _judge(self, response: Response, operation: str, _elapsed_s: float) -> None:
        if response.error:
            raise RequestFailedError(f"{operation}: {response.error}")


class Marking(Protocol):
    """Takes notes of the run's course."""

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""

    def mark(self, what: str, at_s: float, **more: object) -> None:
        """Note that something was, or will be, reached at a second of the run."""

    def note_error(self, kind: str, name: str, error: str) -> None:
        """Note an error of the scenario's code."""


class Preparation:
    """Setup and teardown of one run, in the process that steers it. `shared` is JSON, None before setup is done."""

    def __init__(self, spec: GeneratorSpec, marks: Marking, interrupted: Event) -> None:
        self._marks = marks
        self._interrupted = interrupted
        self._run = OnceARun(spec)
        self._done = False
        self.shared: bytes | None = None

    def prepare(self) -> bool:
        """Do the setup, if the scenario has one; whether users may start. What is wrong is noted."""
        act, self.shared = _Registered.setup, b"null"
        if act is not None:
            self.shared = None
            if not self._act(act, SETUP_NAME, SETUP_UNTIL, _Registered.setup_s, self._interrupted, self._keep):
                return False
        self._done = True
        return True

    @property
    def leaves_something(self) -> bool:
        """Whether there is a teardown to do."""
        return _Registered.teardown is not None and self._done

    def clean_up(self) -> None:
        """Do the teardown, if the scenario has one and setup was done."""
        act = _Registered.teardown
        if act is not None and self._done:
            self._act(act, TEARDOWN_NAME, TEARDOWN_UNTIL, _Registered.teardown_s, Event(), lambda _: None)
            self._done = False
        self._run.client.close()

    def _keep(self, returned: Any) -> None:
        """`TypeError` for what JSON cannot hold."""
        try:
            data = orjson.dumps(returned)
        except TypeError as error:
            raise TypeError(f"setup returned what JSON cannot hold: {error}") from error
        if len(data) > _MOST_BYTES:
            raise TypeError(f"setup returned {len(data):,} bytes; {_MOST_BYTES:,} are possible")
        self.shared = data
        self._run.shared = orjson.loads(data)  # what users get, so that both see the same

    def _act(
        self, act: Act, name: str, until: str, patience_s: float, interrupted: Event, take: Callable[[Any], None]
    ) -> bool:
        """Call a function of the scenario within its time; whether it is done, and what it returned was taken."""
        self._marks.mark(until, self._marks.now_s + patience_s)
        problem = ""
        greenlet = gevent.spawn(_returned, act, self._run)
        # Time counts from when the loop last looked at its clock: what this process did since would be taken away.
        gevent.get_hub().loop.update_now()
        gevent.wait([greenlet, interrupted], timeout=patience_s, count=1)
        try:
            if greenlet.ready():
                returned, error = greenlet.get()
                if error is not None:
                    raise error
                take(returned)
            elif not interrupted.is_set():
                problem = f"it was not done within {patience_s:g} s"
        except BaseException as error:
            problem = describe_with_line(error)
        done = greenlet.ready() and not problem
        greenlet.kill(block=False)
        if problem:
            self._marks.note_error(SETUP, name, problem)
            sys.stderr.write(f"{name} failed: {problem}\n")
        self._marks.mark(until, self._marks.now_s)
        return done


def _returned(act: Act, run: OnceARun) -> tuple[Any, BaseException | None]:
    """What a function returned, or what it raised: a greenlet that dies is nobody's here."""
    try:
        return act(run), None
    except BaseException as error:
        return None, error


class Shared:
    """What setup returned, as the users of one process see it."""

    def __init__(self) -> None:
        self._json: AsyncResult = AsyncResult()
        self._tree: Any = None
        self._read = False

    def put(self, data: bytes | str) -> None:
        """It is there, as JSON."""
        if not self._json.ready():
            self._json.set(data)

    def ask_master(self, runner: Any) -> None:
        """Let the master send it."""
        runner.register_message(SHARED_MESSAGE, lambda msg, **_: self.put(msg.data["json"]))
        runner.send_message(ASK_MESSAGE, {})

    def get(self) -> Any:
        """What setup returned, the same object for all users; it may have to come from the master first."""
        if not self._read:
            self._tree, self._read = orjson.loads(self._json.get(timeout=_SHARED_WITHIN_S)), True
        return self._tree
