"""What is said of the queue between services, and what to do next."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dbz.server.events.admin import QueueStatus
from dbz.units import counted, format_duration

SCHEMA = "dbz.queue/1"
_OLD_S = 60.0


def broken_limits(status: QueueStatus, max_dead: int | None, max_age_s: float | None) -> list[str]:
    """What is beyond the limits, None for no limit, in sentences."""
    broken = []
    if max_dead is not None and status.dead > max_dead:
        broken.append(f"{counted(status.dead, 'dead letter')}, allowed are {max_dead}")
    if max_age_s is not None and (status.oldest_s or 0.0) > max_age_s:
        age, allowed = format_duration(status.oldest_s or 0.0), format_duration(max_age_s)
        broken.append(f"the oldest job is {age} old, allowed is {allowed}")
    return broken


def next_steps(status: QueueStatus) -> list[str]:
    """What to do about the queue, most pressing first."""
    steps = []
    if status.where == "Redis" and (status.waiting or status.under_way) and not status.consumers:
        steps.append("nobody takes jobs: start a server, or look into the log of the one that runs")
    elif status.oldest_s is not None and status.oldest_s > _OLD_S and status.waiting:
        steps.append("jobs wait for long: add server processes, or look for what is slow with `dbz load` and /metrics")
    if status.dead:
        (reason, count), *_ = Counter(letter.reason for letter in status.letters).most_common() or [("", 0)]
        what = f" ({count} times: {reason[:120]})" if count > 1 else ""
        steps.append(f"mend what failed{what}, then: dbz queue retry --all")
        steps.append("or remove what nobody needs: dbz queue drop ID")
    return steps


def status_document(status: QueueStatus, broken: list[str]) -> dict[str, Any]:
    """The status as JSON."""
    return {"schema": SCHEMA, **status.document(), "broken": broken, "next_steps": next_steps(status)}
