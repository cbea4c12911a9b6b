"""What a server tells of the requests that it answered: how many, how many of them failed, and how long they took.

From counters and histograms under the names of our own server, of prom-client's and prometheus-client's usual
middlewares, of the semantic conventions of OpenTelemetry, and of micrometer. Questions of those who watch the service,
where they can be told by their route, are left out: they are quick, and would make a slow service look quicker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dbz.measure.latency.buckets import Buckets
from dbz.targets.counters import Key, all_added, counts_since
from dbz.targets.exposition import Exposition, ExpositionSample, read_page
from dbz.targets.places import OF_WATCHERS

_DURATIONS: Mapping[str, float] = {
    "dbz_http_request_duration_seconds": 1e3,
    "http_server_request_duration_seconds": 1e3,
    "http_server_request_duration": 1e3,
    "http_server_duration_milliseconds": 1.0,
    "http_server_duration": 1.0,
    "http_server_requests_seconds": 1e3,
    "http_request_duration_seconds": 1e3,
    "http_request_duration_ms": 1.0,
    "http_request_duration_milliseconds": 1.0,
    "http_requests_duration_seconds": 1e3,
    "flask_http_request_duration_seconds": 1e3,
    "starlette_requests_processing_time_seconds": 1e3,
    "fastapi_requests_duration_seconds": 1e3,
    "django_http_requests_latency_seconds_by_view_method": 1e3,
}
"""Histograms or summaries of durations, the best first, and how many milliseconds their unit has."""
_COUNTERS = (
    "dbz_http_requests_total",
    "http_requests_total",
    "http_server_requests_total",
    "starlette_requests_total",
    "starlette_responses_total",
    "fastapi_responses_total",
    "flask_http_request_total",
    "django_http_responses_total_by_status_total",
)
"""Counters of requests by status, for servers whose durations have none."""
_STATUS = ("status", "status_code", "code", "http_response_status_code", "http_status_code", "statuscode")
_ROUTE = ("route", "http_route", "path", "handler", "uri", "endpoint", "path_template", "url", "http_target")
REQUEST_NAMES = frozenset(
    [*_COUNTERS, *(f"{name}{part}" for name in _DURATIONS for part in ("_sum", "_count", "_bucket"))]
)  # fmt: skip
"""The metrics that `requests_of` looks at."""
_OUTCOMES = {"server_error": True, "success": False, "client_error": False, "redirection": False}
_BEYOND = 1e15


@dataclass
class RequestCounts:
    """What was counted up to a moment, by the labels of each series."""

    answered: dict[Key, float] = field(default_factory=dict)
    failed: dict[Key, float] | None = None
    """Answers with a status of 500 or more; None where no status is told."""
    timed: dict[Key, float] = field(default_factory=dict)
    took_ms: dict[Key, float] = field(default_factory=dict)
    buckets: dict[Key, dict[float, float]] = field(default_factory=dict)
    """Of each histogram the cumulative counts by upper bound in seconds."""


@dataclass(frozen=True)
class RequestFigures:
    """What happened between two moments."""

    per_s: float
    mean_ms: float | None
    """None when nothing was answered, or nothing was timed."""
    error_rate: float | None
    """A share of one; None when nothing was answered, or no status is told."""
    durations: Buckets = field(default_factory=Buckets)
    """Empty where there is no histogram."""


def read_requests(body: bytes) -> RequestCounts | None:
    """What the body of a page tells of requests; None when it tells nothing that we know."""
    return requests_of(read_page(body, REQUEST_NAMES.__contains__))


def requests_of(exposition: Exposition) -> RequestCounts | None:
    """What a page tells of requests; None when it tells nothing that we know."""
    told = exposition.samples
    page = {name: _of_users(samples) for name, samples in told.items() if name in REQUEST_NAMES}
    counts = RequestCounts()
    timing = next((name for name in _DURATIONS if told.get(f"{name}_count")), None)
    if timing:
        counts.timed = _by_labels(page[f"{timing}_count"])
        counts.took_ms = _by_labels(page.get(f"{timing}_sum", ()), _DURATIONS[timing])
        counts.buckets = _histograms(page.get(f"{timing}_bucket", ()), _DURATIONS[timing] / 1e3)
    # Durations with a status count answers just as well, and surely the same ones.
    counting = [f"{timing}_count"] if timing and _tell_status(told[f"{timing}_count"]) else []
    counting += [name for name in _COUNTERS if told.get(name)]
    if counting:
        counts.answered = _by_labels(page[counting[0]])
        if _tell_status(told[counting[0]]):
            counts.failed = _by_labels(sample for sample in page[counting[0]] if _has_failed(sample))
    else:
        counts.answered = dict(counts.timed)
    return counts if timing or counting else None


def requests_between(before: RequestCounts, now: RequestCounts, seconds: float) -> RequestFigures:
    """What was answered in the `seconds` between two readings; counters that began again at zero are seen."""
    answered = all_added(now.answered, before.answered)
    timed = all_added(now.timed, before.timed)
    took_ms = all_added(now.took_ms, before.took_ms)
    failed = None if now.failed is None else all_added(now.failed, before.failed or {})
    durations = Buckets()
    for key, cumulative in now.buckets.items():
        durations.add(counts_since(cumulative, before.buckets.get(key, {})), 0.0)
    return RequestFigures(
        per_s=answered / seconds if seconds > 0 else 0.0,
        mean_ms=took_ms / timed if timed > 0 else None,
        error_rate=min(failed / answered, 1.0) if failed is not None and answered > 0 else None,
        durations=durations,
    )


def _of_users(samples: Iterable[ExpositionSample]) -> list[ExpositionSample]:
    return [sample for sample in samples if not OF_WATCHERS.intersection(map(sample.labels.get, _ROUTE))]


def _tell_status(samples: Iterable[ExpositionSample]) -> bool:
    return any(_status(sample) for sample in samples)


def _status(sample: ExpositionSample) -> str:
    return next((sample.labels[label] for label in _STATUS if sample.labels.get(label)), "")


def _has_failed(sample: ExpositionSample) -> bool:
    """By the status, which is written as 503 or as 5xx, or by micrometer's outcome."""
    outcome = sample.labels.get("outcome", "").lower()
    return _OUTCOMES.get(outcome, _status(sample).startswith("5"))


def _by_labels(samples: Iterable[ExpositionSample], factor: float = 1.0) -> dict[Key, float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value * factor
        for sample in samples
        if math.isfinite(sample.value) and 0 <= sample.value < _BEYOND
    }


def _histograms(samples: Iterable[ExpositionSample], factor: float) -> dict[Key, dict[float, float]]:
    found: dict[Key, dict[float, float]] = {}
    for sample in samples:
        try:
            bound = float(sample.labels["le"]) * factor
        except (KeyError, ValueError):
            continue  # no bucket, whatever its name says
        if bound >= 0 and 0 <= sample.value < _BEYOND:
            key = tuple(sorted(pair for pair in sample.labels.items() if pair[0] != "le"))
            found.setdefault(key, {})[bound] = sample.value
    return found
