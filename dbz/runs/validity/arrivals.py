"""Arrivals of an open load that nobody was free to take: whether the target was too slow, or the users too few."""

from __future__ import annotations

import math
from collections import defaultdict

from dbz.measure.latency.histogram import Histogram
from dbz.measure.latency.series import HTTP, SERVICE
from dbz.runs.fold import line_inside
from dbz.runs.schema import Generator, Window
from dbz.runs.storage.reading import Record
from dbz.units import format_percent

DROPPED_SHARE = 0.01
"""Fewer dropped arrivals than this share of all are no reason for anything."""


def were_dropped(health: Generator) -> bool:
    """Whether so many arrivals never began that the load was another one than was asked for."""
    return health.dropped_arrivals > DROPPED_SHARE * (health.begun_arrivals + health.dropped_arrivals)


def too_few_users(record: Record, window: Window, health: Generator, users: int) -> int:
    """How many users the arrivals would have needed at least, when that is more than there are; 0 when they sufficed.

    By Little's law, as many are busy as begin in a second times the seconds that each is. What of this time goes into
    waiting for an answer is the target's: it is counted as if each request were as quick as the quickest of its
    operation, which had nothing in its way. If the users would have sufficed then, it was the target that kept them
    from taking the next arrivals.
    """
    begun = sum(
        line.get("begun", 0) for lines in record.workers.values() for line in lines if line_inside(line, window)
    )
    if not begun or not window.seconds:
        return 0
    waiting = _mean_running(record, window)
    quick = _running_if_quick(record, window)
    busy_otherwise = max(users - max(waiting, quick), 0.0)
    asked = (health.begun_arrivals + health.dropped_arrivals) / max(health.begun_arrivals, 1)
    needed = math.ceil(asked * (busy_otherwise + quick))
    return needed if needed > users else 0


def _mean_running(record: Record, window: Window) -> float:
    """How many requests were under way at the same time, on average over the seconds of a window."""
    by_second: defaultdict[int, int] = defaultdict(int)
    for lines in record.workers.values():
        for line in lines:
            if line_inside(line, window):
                by_second[round(line["t"])] += line.get("running", 0)
    return sum(by_second.values()) / len(by_second) if by_second else 0.0


def _running_if_quick(record: Record, window: Window) -> float:
    """How many requests would have been under way at the same time if each had been as quick as the quickest."""
    durations: defaultdict[str, Histogram] = defaultdict(Histogram)
    ended: defaultdict[str, int] = defaultdict(int)
    for interval in record.intervals:
        series = interval.series
        if series.kind in (HTTP, SERVICE) and not series.failed:
            durations[series.name].add(interval.histogram)
        if series.kind == HTTP and window.start_s <= interval.start_s + interval.length_s / 2 < window.end_s:
            ended[series.name] += len(interval.histogram)
    quickest_s = {name: found.min_us / 1e6 for name, found in durations.items() if len(found)}
    return sum(count / window.seconds * quickest_s.get(name, 0.0) for name, count in ended.items())


def dropped_reasons(
    record: Record, window: Window, health: Generator, users: int, *, slow_generator: str
) -> tuple[str, str]:
    """Why dropped arrivals make a run invalid, and why they make it fail; one of both, or none, is empty.

    `slow_generator` says what kept the generator itself from being quick, if anything did.
    """
    if not were_dropped(health):
        return "", ""
    due = health.begun_arrivals + health.dropped_arrivals
    never = f"{health.dropped_arrivals:,} of {due:,} arrivals never began"
    if slow_generator:
        why = f"and the load generator {slow_generator}: use more --workers, or a lower --rate"
        return f"the asked rate was not reached: {never}, {why}", ""
    needed = too_few_users(record, window, health, users)
    if needed:
        why = f"because all users were busy, and not only with waiting for the target: use more --users ({needed:,} or"
        return f"the asked rate was not reached: {never}, {why} more), or a lower --rate", ""
    share = format_percent(health.dropped_arrivals / due)
    return "", (
        f"the target was too slow for the asked rate: {never} ({share}), because all {users:,} users were waiting for "
        "its answers; that many were behind at the end"
    )
