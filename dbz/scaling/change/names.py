"""How the things are called that dbz makes for a service, and how a plan refers to a policy."""

from __future__ import annotations

import re
from datetime import UTC, datetime

OUT_POLICY, IN_POLICY = "dbz-out", "dbz-in"
TRACK_PREFIX = "dbz-track-"
OWN_PREFIX = "dbz-"
"""How the names of all policies and scheduled actions begin that dbz makes."""
EXPIRY = "dbz-expires"
"""The scheduled action that puts a range back."""
POLICY_ARN = "policy:"
"""How the ARN of a policy of the service is written here, and in plans: `policy:dbz-out`. AWS gives it another one each
time that it is made."""
ALARM_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
"""What an alarm sets off, by the state that it enters."""


_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


def time_of(schedule: str) -> datetime | None:
    """The moment of a schedule as dbz makes it, `at(2026-12-01T20:35:15)` in UTC; None: it is another one."""
    found = _AT.fullmatch(schedule)
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None


def alarm_prefix(cluster: str, service: str) -> str:
    """How the names of all alarms begin that dbz makes for a service."""
    return f"dbz/{cluster}/{service}/"
