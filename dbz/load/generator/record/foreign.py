"""Samples of Locust's own clients, and of anything else that fires Locust's request event."""

from __future__ import annotations

from typing import Any

from dbz.load.generator.http.client import UNFINISHED_ERROR
from dbz.load.generator.pace.lateness import take_lateness_s
from dbz.load.generator.record.describing import describe
from dbz.load.generator.record.recorder import Recorder
from dbz.load.generator.record.services import AnsweringServices
from dbz.load.generator.record.under_way import OLD_S, watch_locust_clients
from dbz.measure.latency.series import HTTP, OTHER, UNFINISHED, UNTIMED

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def listen(events: Any, recorder: Recorder, services: AnsweringServices) -> None:
    """Record every request event. Locust gives durations in milliseconds, and None for what has none.

    What failed without a time is a failed attempt all the same; what was done without one is counted, and no latency.
    """

    def on_request(
        request_type: str,
        name: str,
        response_time: float | None,
        exception: BaseException | None = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        kind = HTTP if request_type in _METHODS else OTHER
        operation = f"{request_type} {name}"
        elapsed_s = (response_time or 0.0) / 1000 + take_lateness_s()
        fields = getattr(response, "headers", None) if kind == HTTP else None
        service = services.of_fields(fields or {}, operation, failed=exception is not None)
        samples = recorder.of_locust(service)
        if exception is not None:
            samples.failure(kind, operation, elapsed_s, describe(exception))
        else:
            samples.success(UNTIMED if response_time is None else kind, operation, elapsed_s)
            if kind == HTTP and response is not None:
                samples.objections.look_at_foreign(response, request_type, operation)

    def on_cut_off(operation: str, age_s: float) -> None:
        if age_s > OLD_S:
            recorder.of_locust().failure(UNFINISHED, operation, age_s, UNFINISHED_ERROR)

    watch_locust_clients(on_cut_off)
    events.request.add_listener(on_request)
