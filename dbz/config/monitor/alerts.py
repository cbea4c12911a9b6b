"""When somebody is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from dbz.config.grammar.conditions import Condition, parse_condition
from dbz.config.monitor.fields import Labels, Severity, named
from dbz.config.source.model import Duration, Strict

BUILT_IN: Mapping[str, Severity] = {"NO_DATA": "critical", "TARGET_DOWN": "critical"}
"""Alerts that need no rule."""
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,59}")


def _condition(value: object) -> object:
    if isinstance(value, Condition):
        return value
    if not isinstance(value, str):
        raise ValueError("write a sentence, like: response time > 1000ms for 1 minute")
    condition = parse_condition(value)
    if condition.of_capacity:
        raise ValueError("a share of capacity is known to the scaling plan only; give a number")
    return condition


Sentence = Annotated[Condition, BeforeValidator(_condition, json_schema_input_type=str)]


class AlertRule(Strict):
    """When somebody is told."""

    type: Annotated[str, named(_TYPE, "SLOW_RESPONSE")]
    when: Sentence
    resolve: Sentence | None = None
    """When it is over [default: when `when` does not hold any more]."""
    keep_firing_for: Duration = 60.0
    """For how long it must be over before it is told to be: what comes and goes is one alert."""
    severity: Severity = "warning"
    message: str = ""
    runbook: str = ""
    targets: list[str] = Field(default_factory=list)
    """Names of the services that it is about [default: all]."""
    labels: Labels = Field(default_factory=dict)
    """What routes, silences and inhibitions can ask for, such as `{team: chat}`; added to those of the target."""

    @model_validator(mode="after")
    def _about_one_thing(self) -> AlertRule:
        if self.resolve is not None and self.resolve.metric is not self.when.metric:
            raise ValueError(f"resolve is about {self.resolve.metric.value}, and when about {self.when.metric.value}")
        if self.resolve is not None and self.resolve.op[0] == self.when.op[0]:
            raise ValueError(f"resolve and when both look for {self.when.op}: it would be over as soon as it begins")
        return self
