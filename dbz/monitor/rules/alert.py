"""One alert of one target as it is in a round: what it is called, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbz.config.monitor.alerts import AlertRule
from dbz.config.monitor.fields import Severity
from dbz.monitor.rules.alerts import AlertEvent, AlertStanding, AlertState
from dbz.monitor.rules.notices import outage_notice, rule_notice
from dbz.monitor.store.store import Notice


@dataclass
class Alert:
    """A rule of the file, or an outage, of one target."""

    type: str
    target: str
    severity: Severity
    labels: Mapping[str, str]
    standing: AlertStanding
    rule: AlertRule | None = None
    """None for an alert that needs no rule."""
    event: AlertEvent | None = None
    """What happened to it in this round."""
    why: str = ""
    """What an outage looks like."""

    @property
    def firing(self) -> bool:
        """Whether it is on."""
        return self.standing.state is AlertState.FIRING

    @property
    def keys(self) -> dict[str, str]:
        """What routes, silences and inhibitions ask for."""
        return {**self.labels, "severity": self.severity, "type": self.type, "target": self.target}

    def notice(self, event: str, now_s: float) -> Notice:
        """What is said of it."""
        if self.rule is not None:
            return rule_notice(self.rule, self.target, event, self.standing, now_s)
        return outage_notice(self.type, self.severity, self.target, event, self.standing, self.why, now_s)


@dataclass
class GoneAlert(Alert):
    """An alert that was on when its rule or its target left the file."""

    def notice(self, event: str, now_s: float) -> Notice:  # noqa: ARG002  # it has no value that changes
        """What is said of it, which can only be that it is over."""
        text = f"{self.type} {event}: nobody watches for it any more, {self.target} or its rule has left the file"
        return Notice(self.type, self.target, self.severity, str(event), text, since_s=self.standing.since_s)
