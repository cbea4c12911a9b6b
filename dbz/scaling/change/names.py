"""How the things are called that dbz makes for a service, and how a plan refers to one that does not exist yet."""

from __future__ import annotations

OUT_POLICY, IN_POLICY = "dbz-out", "dbz-in"
TRACK_PREFIX = "dbz-track-"
OWN_PREFIX = "dbz-"
"""How the names of all policies and scheduled actions begin that dbz makes."""
EXPIRY = "dbz-expires"
"""The scheduled action that puts a range back."""
POLICY_ARN = "policy:"
"""How a plan writes the ARN of a policy that does not exist yet: `policy:dbz-out`."""


def alarm_prefix(cluster: str, service: str) -> str:
    """How the names of all alarms begin that dbz makes for a service."""
    return f"dbz/{cluster}/{service}/"
