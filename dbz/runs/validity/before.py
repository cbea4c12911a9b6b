"""Operations that only the time before the judged part has, such as logins: a run whose users could not sign in has not
shown that anything works for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbz.measure.budget.budgets import Budget
from dbz.measure.budget.measuring import Measurements
from dbz.measure.latency.attempts import Latency
from dbz.measure.latency.series import ACK, HTTP, OTHER
from dbz.runs import aggregate
from dbz.runs.schema import Window
from dbz.runs.storage.reading import Record

_KINDS = (HTTP, ACK, OTHER)
"""Sockets that are opened come back by themselves, and errors of the scenario's code are judged elsewhere."""


def failures_before(record: Record, window: Window, found: Measurements, budgets: Sequence[Budget]) -> list[str]:
    """Why a run fails that holds its budgets: what was asked only before its judged part failed more often than the
    budgets on `errors` allow. Without such a budget nothing is said of errors.
    """
    limits = [one.limit for one in budgets if one.of.metric.name == "errors" and not one.of.filters and one.limit.known]
    return [
        f"{name} failed {latency.errors:,} of {latency.count:,} times before the judged part, and was not asked again "
        f"in it{_most_frequent(record, window, name)}"
        for name, latency in _only_before(record, window, found)
        if not all(limit.holds(latency.error_rate) for limit in limits)
    ]


def _only_before(record: Record, window: Window, found: Measurements) -> Iterator[tuple[str, Latency]]:
    for series, latency in aggregate.latencies(record, Window(start_s=0, end_s=window.start_s)).items():
        judged = found.latencies.get(series)
        if series.kind in _KINDS and latency.errors and not (judged and judged.count):
            yield series.name, latency


def _most_frequent(record: Record, window: Window, name: str) -> str:
    groups = aggregate.error_groups(record, Window(start_s=0, end_s=window.start_s))
    return next((f": {group.error}" for group in groups if group.operation == name), "")
