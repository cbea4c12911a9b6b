"""Which alerts are meant: by severity, type, target and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from dbz.config.monitor.fields import Severity
from dbz.config.source.model import Strict


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Values = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str]), Field(min_length=1)]


class AlertMatcher(Strict):
    """Alerts that have one of the values of each key that is given; without any key, all of them."""

    severity: list[Severity] = Field(default_factory=list)
    type: list[str] = Field(default_factory=list)
    target: list[str] = Field(default_factory=list)
    labels: dict[str, Values] = Field(default_factory=dict)
    """By name, a value or a list of them: `{team: [chat, game]}`."""

    @property
    def wanted(self) -> dict[str, Sequence[str]]:
        """The values of each key that is given."""
        own: dict[str, Sequence[str]] = {"severity": self.severity, "type": self.type, "target": self.target}
        return {name: values for name, values in {**own, **self.labels}.items() if values}

    def fits(self, alert: Mapping[str, str]) -> bool:
        """Whether an alert, given by its severity, type, target and labels, is meant."""
        return all(alert.get(name, "") in values for name, values in self.wanted.items())

    def __str__(self) -> str:
        return ", ".join(f"{name} {' or '.join(values)}" for name, values in self.wanted.items()) or "all alerts"
