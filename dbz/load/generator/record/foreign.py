"""Samples of Locust's own clients, and of anything else that fires Locust's request event."""

from __future__ import annotations

from typing import Any

from dbz.load.generator.lateness import take_lateness_s
from dbz.load.generator.record.recorder import Recorder
from dbz.measure.latency.series import HTTP, OTHER

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def listen(events: Any, recorder: Recorder) -> None:
    """Record every request event. Locust gives durations in milliseconds, and None for what has none."""

    def on_request(
        request_type: str, name: str, response_time: float | None, exception: BaseException | None = None, **_: Any
    ) -> None:
        kind = HTTP if request_type in _METHODS else OTHER
        operation = f"{request_type} {name}"
        if response_time is None:
            if exception is not None:
                recorder.note_error(kind, operation, _describe(exception))
            return
        elapsed_s = response_time / 1000 + take_lateness_s()
        if exception is not None:
            recorder.failure(kind, operation, elapsed_s, _describe(exception))
        else:
            recorder.success(kind, operation, elapsed_s)

    def on_user_error(user_instance: object, exception: BaseException, **_: Any) -> None:
        recorder.note_error("task", type(user_instance).__name__, _describe(exception))

    events.request.add_listener(on_request)
    events.user_error.add_listener(on_user_error)


def _describe(exception: BaseException) -> str:
    """The error's class and message on one line."""
    text = " ".join(str(exception).split())
    return f"{type(exception).__name__}: {text}" if text else type(exception).__name__
