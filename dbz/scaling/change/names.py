"""How the things are called that dbz makes for a service, and how a plan refers to a policy."""

from __future__ import annotations

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


def alarm_prefix(cluster: str, service: str) -> str:
    """How the names of all alarms begin that dbz makes for a service."""
    return f"dbz/{cluster}/{service}/"
