"""Faults that a load asks of one service of the embedded stack: `game slow 300ms at 10s for 5s`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbz.config.load.services import BAND_SYNC, SERVICES
from dbz.suggest import did_you_mean
from dbz.units import format_ms, format_percent, parse_duration, parse_percent

SLOW, ERRORS, KILL = "slow", "errors", "kill"
_FORM = re.compile(
    r"(?P<service>\S+)\s+(?P<kind>\S+)(?:\s+(?P<amount>(?!at\b)\S+))?\s+at\s+(?P<at>\S+)(?:\s+for\s+(?P<length>\S+))?"
)
_EXAMPLE = "write for example 'game slow 300ms at 10s for 5s', 'chat errors 20% at 10s' or 'auth kill at 10s'"
_MOST_SLOW_S = 60.0


@dataclass(frozen=True)
class FaultOrder:
    """A fault of one service, in seconds of the judged part."""

    service: str
    kind: str
    """`slow`, `errors` or `kill`."""
    amount: float
    """Seconds that each answer takes longer, or the share of answers that are a 500; 0 of a kill."""
    at_s: float
    length_s: float | None
    """None: until the end of the run; a kill has no length."""

    @property
    def what(self) -> str:
        """In words, after the name of the service."""
        if self.kind == KILL:
            return "was killed"
        if self.kind == SLOW:
            return f"was made {format_ms(self.amount * 1000)} slower"
        return f"was made to fail {format_percent(self.amount)} of its calls"

    @property
    def body(self) -> dict[str, object]:
        """What the gateway's admin route is asked for."""
        keys: dict[str, dict[str, object]] = {
            SLOW: {"slow_ms": self.amount * 1000},
            ERRORS: {"error_rate": self.amount},
            KILL: {"kill": True},
        }
        return {"service": self.service, **keys[self.kind]}


def parse_fault(text: str) -> FaultOrder:
    """The fault that a sentence asks for; `ValueError` says what is wrong with it."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no fault; {_EXAMPLE}")
    service, kind, amount = found["service"], found["kind"], found["amount"]
    services = (*SERVICES, BAND_SYNC)
    if service not in services:
        near = did_you_mean(service, services)
        raise ValueError(f"'{service}' is no service that a fault can strike{near} (known: {', '.join(services)})")
    if kind not in (SLOW, ERRORS, KILL):
        raise ValueError(f"'{kind}' is no fault{did_you_mean(kind, (SLOW, ERRORS, KILL))}; {_EXAMPLE}")
    if (amount is None) != (kind == KILL) or (kind == KILL and found["length"]):
        wrong = "a kill has neither amount nor length" if kind == KILL else "how much?"
        raise ValueError(f"'{text}': {wrong}; {_EXAMPLE}")
    value = 0.0 if amount is None else parse_duration(amount) if kind == SLOW else parse_percent(amount)
    if not 0 <= value <= (_MOST_SLOW_S if kind == SLOW else 1):
        raise ValueError(f"'{amount}' is too much: at most 60s slower, or 100% of the answers")
    length_s = parse_duration(found["length"]) if found["length"] else None
    return FaultOrder(service, kind, value, parse_duration(found["at"]), length_s)
