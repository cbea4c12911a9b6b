"""Where this process looks over Locust's shoulder: events, greenlets and users report what goes wrong in them.

Locust logs these errors, and remembers no more of them than that there was one.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

import gevent
import locust
from locust import User, log, runners
from locust.event import EventHook
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from dbz.load.generator.record.scenario_errors import ScenarioErrors

_OURS = ("locust.", "dbz.")
_MEANT = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)
"""Exceptions by which a listener tells Locust what to do."""
_AT_THE_END = ("test_stopping", "test_stop", "quitting", "quit")


def watch(errors: ScenarioErrors) -> None:
    """Let `errors` know of every exception of a scenario's code in this process; once a process."""
    locust.events.user_error.add_listener(errors.on_user_error)
    _watch_listeners(errors)
    _watch_greenlets(errors)
    _watch_users(errors)


def call_first(event: Any, listener: Callable[..., None]) -> None:
    """Add a listener that is called before those which the scenario registered when it was imported."""
    event._handlers.insert(0, listener)


def when_scenario_calls(subject: Any, method: str, instead: Callable[[], None]) -> None:
    """Do something else when a method of an object is called by anybody but Locust and dbz."""
    call = getattr(subject, method)

    def watched() -> Any:
        caller = sys._getframe().f_back  # none where a greenlet of the scenario's does nothing else
        ours = caller is not None and str(caller.f_globals.get("__name__")).startswith(_OURS)
        return call() if ours else instead()

    setattr(subject, method, watched)


def within(seconds: float, call: Callable[[], Any]) -> bool:
    """Make a call that may never return; whether it did in time."""
    greenlet = gevent.spawn(call)
    greenlet.join(seconds)
    return bool(greenlet.ready())


def call_listener(hook: Any, handler: Callable[..., None], arguments: dict[str, Any], errors: ScenarioErrors) -> None:
    """Call a listener as Locust does: what it raises ends nothing, unless it is meant for Locust."""
    try:
        handler(**arguments)
    except _MEANT:
        raise
    except SystemExit as error:
        if _name_of(hook) not in _AT_THE_END:
            raise
        _note_exit_code(error.code, arguments.get("environment"))
    except Exception as error:
        logging.error("Uncaught exception in event handler: \n%s", traceback.format_exc())
        if not str(getattr(handler, "__module__", "")).startswith("locust."):
            log.unhandled_greenlet_exception = True
            errors.on_listener_error(_name_of(hook), error)


def _name_of(hook: Any) -> str:
    return next((name for name, one in vars(locust.events).items() if one is hook), "an event")


def _note_exit_code(code: Any, environment: Any) -> None:
    """A listener that ends the program at the end of a run says how that went; the record is to be whole."""
    if isinstance(code, str):
        logging.error("%s", code)
    if environment is not None:
        environment.process_exit_code = code if isinstance(code, int) else int(code is not None)


def _watch_listeners(errors: ScenarioErrors) -> None:
    def fire(hook: Any, *, reverse: bool = False, **arguments: Any) -> None:
        for handler in hook._handlers[::-1] if reverse else hook._handlers.copy():
            call_listener(hook, handler, arguments, errors)

    EventHook.fire = fire


def _watch_greenlets(errors: ScenarioErrors) -> None:
    handler_of = runners.locust_exception_handler

    def watching(environment: Any) -> Callable[[Any], None]:
        handle = handler_of(environment)

        def handler(greenlet: Any) -> None:
            errors.on_greenlet_error(greenlet.exception)
            handle(greenlet)

        return handler

    runners.locust_exception_handler = watching


def _watch_users(errors: ScenarioErrors) -> None:
    start = User.start

    def watched(user: Any, group: Any) -> Any:
        greenlet = start(user, group)
        greenlet.link_exception(lambda ended: errors.on_user_died(user, ended.exception))
        return greenlet

    User.start = watched
