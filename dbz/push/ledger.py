"""What the stand-in received, which tokens are dead, and the faults that somebody asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("busy", "quota", "away", "broken", "malformed", "login", "slow", "lost")
"""`busy`: too many for one device; `quota`: too many at all; `away`: 503; `broken`: 500; `malformed`: no answer of the
provider; `login`: credentials are not taken; `slow`: late; `lost`: it is delivered, and the answer says otherwise."""
_MOST_RECEIVED = 100_000


@dataclass
class PushFault:
    """What shall go wrong."""

    kind: str
    """One of `KINDS`."""
    provider: str = "*"
    """`apns`, `fcm`, or `*` for both."""
    times: int = 1
    """How many calls it still strikes."""
    seconds: float = 1.0
    """What `busy`, `quota` and `away` ask the caller to wait, 0 for no Retry-After; how late `slow` is."""
    after: int = 0
    """How many calls pass before."""


@dataclass(frozen=True)
class ReceivedPush:
    """A push that was taken for delivery."""

    provider: str
    token: str
    id: str
    """What the sender calls it, empty when he does not."""
    replaces: str
    """Of pushes to one device that have the same value here, it shows the last one only."""
    title: str
    body: str
    expires_s: int
    """When it is of no use any more, in seconds since 1970; 0 for never stored."""
    payload: dict[str, Any]


@dataclass
class PushLedger:
    """All of it. Not for several threads."""

    received: list[ReceivedPush] = field(default_factory=list)
    dead: dict[str, int] = field(default_factory=dict)
    """{token: milliseconds since 1970 at which the app was removed from the device}."""
    faults: list[PushFault] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    """Number of answers by `provider status reason`."""

    def strike(self, provider: str) -> PushFault | None:
        """The fault that strikes a call now."""
        for fault in self.faults:
            if fault.provider in (provider, "*") and fault.times > 0:
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def take(self, push: ReceivedPush) -> None:
        """Deliver a push."""
        self.received.append(push)
        del self.received[:-_MOST_RECEIVED]

    def shown(self) -> dict[str, list[dict[str, Any]]]:
        """{token: the pushes that its device shows}, later ones in place of those that they replace."""
        devices: dict[str, dict[str, dict[str, Any]]] = {}
        for number, push in enumerate(self.received):
            devices.setdefault(push.token, {})[push.replaces or f"#{number}"] = asdict(push)
        return {token: list(pushes.values()) for token, pushes in devices.items()}
