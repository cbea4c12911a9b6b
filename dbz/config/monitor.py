"""What is watched, and who is told when: schema `dbz.monitor/1`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dbz.config.bundled import bundled_folder
from dbz.config.files import existing_file
from dbz.config.grammar.conditions import Condition, Watched, parse_condition
from dbz.config.metrics import TargetMetrics, check_place
from dbz.config.model import Duration, Size, Strict, build
from dbz.config.source import expanded, read_yaml
from dbz.suggest import did_you_mean

DEFAULT = "default"
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 1.0, 3600.0
LOG = "log"
"""The channel that is always there."""
Severity = Literal["info", "warning", "critical"]
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,59}")
_NAME = re.compile(r"[A-Za-z][\w-]{0,39}", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _condition(value: object) -> object:
    if isinstance(value, Condition):
        return value
    if not isinstance(value, str):
        raise ValueError("write a sentence, like: response time > 1000ms for 1 minute")
    condition = parse_condition(value)
    if condition.of_capacity:
        raise ValueError("a share of capacity is known to the scaling plan only; give a number")
    return condition


def _named(pattern: re.Pattern[str], example: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"'{text}' is not a name; write for example {example}")
        return text

    return AfterValidator(check)


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("it should be a URL that begins with http:// or https://")  # it may be a secret: not shown
    return text


Sentence = Annotated[Condition, BeforeValidator(_condition, json_schema_input_type=str)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class WatchedTarget(Strict):
    """A service, and where it tells how it is."""

    name: Annotated[str, _named(_NAME, "api")]
    url: HttpUrl
    health: Annotated[str, AfterValidator(check_place)] = "/healthz"
    """A path below the URL, or a URL of its own; an answer of 404 means that the service has none."""
    metrics: TargetMetrics = TargetMetrics()
    memory_limit: Size | None = None
    """What `memory > 80%` is a share of [default: the memory of this machine, for a service on it]."""


class AlertRule(Strict):
    """When somebody is told."""

    type: Annotated[str, _named(_TYPE, "SLOW_RESPONSE")]
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

    @model_validator(mode="after")
    def _about_one_thing(self) -> AlertRule:
        if self.resolve is not None and self.resolve.metric is not self.when.metric:
            raise ValueError(f"resolve is about {self.resolve.metric.value}, and when about {self.when.metric.value}")
        if self.resolve is not None and self.resolve.op[0] == self.when.op[0]:
            raise ValueError(f"resolve and when both look for {self.when.op}: it would be over as soon as it begins")
        return self


class Mail(Strict):
    """A mail server, and who gets mail through it."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    sender: str = Field(alias="from")
    to: list[str] = Field(min_length=1)


class AlertChannel(Strict):
    """One way to reach people or programs."""

    slack: HttpUrl | None = None
    """An incoming webhook of Slack."""
    webhook: HttpUrl | None = None
    """A URL that gets each alert as JSON."""
    mail: Mail | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> AlertChannel:
        if sum(way is not None for way in (self.slack, self.webhook, self.mail)) != 1:
            raise ValueError("a channel has one of: slack, webhook, mail")
        return self


class AlertRoute(Strict):
    """Which alerts go where; the first route that fits an alert is its only one."""

    severity: list[Severity] = Field(default_factory=list)
    type: list[str] = Field(default_factory=list)
    target: list[str] = Field(default_factory=list)
    to: list[str] = Field(min_length=1)
    repeat: Duration = 4 * 3600.0
    """After how long an alert that goes on is told again."""


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"'{text}' is not a time of day; write for example 22:00")
    return text


TimeOfDay = Annotated[str, AfterValidator(_clock)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


_MUTED: tuple[Severity, ...] = ("info", "warning")


class MuteTime(Strict):
    """When alerts are kept to the log; times are those of this machine's clock."""

    begin: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    """Earlier than `from` for a time that goes over midnight, which belongs to the day that it begins on."""
    days: list[Day] = Field(default_factory=list)
    severity: list[Severity] = Field(default_factory=lambda: list(_MUTED))


class MonitorFile(Strict):
    """All of the file."""

    schema_: Literal["dbz.monitor/1"] = Field(alias="schema")
    interval: Duration = Field(default=10.0, ge=SHORTEST_INTERVAL_S, le=LONGEST_INTERVAL_S)
    """How often each service is asked."""
    no_data_after: Duration = Field(default=60.0, gt=0)
    """After how long of silence NO_DATA is told; rules keep their state meanwhile."""
    down_after: Duration = Field(default=30.0, ge=0)
    """After how long without a good answer of its health path TARGET_DOWN is told."""
    heartbeat: HttpUrl | None = None
    """A URL that is asked after each round, of somebody who tells when that stops."""
    targets: list[WatchedTarget] = Field(min_length=1, max_length=200)
    alerts: list[AlertRule] = Field(max_length=500)
    channels: dict[Annotated[str, _named(_NAME, "slack")], AlertChannel] = Field(default_factory=dict)
    routes: list[AlertRoute] = Field(default_factory=lambda: [AlertRoute(to=[LOG])])
    mute: list[MuteTime] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_there(self) -> MonitorFile:
        if LOG in self.channels:
            raise ValueError(f"channels: '{LOG}' is the channel that is always there; choose another name")
        _unique("target", [target.name for target in self.targets])
        _unique("alert", [alert.type for alert in self.alerts])
        targets, types = [target.name for target in self.targets], [*BUILT_IN, *(alert.type for alert in self.alerts)]
        for alert in self.alerts:
            _known("target", alert.targets, targets)
        for route in self.routes:
            _known("channel", route.to, [LOG, *self.channels])
            _known("target", route.target, targets)
            _known("alert", route.type, types)
        return self

    def rules_of(self, target: str) -> list[AlertRule]:
        """The rules that are about a target."""
        return [rule for rule in self.alerts if not rule.targets or target in rule.targets]


BUILT_IN: Mapping[str, Severity] = {"NO_DATA": "critical", "TARGET_DOWN": "critical"}
"""Alerts that need no rule."""
WATCHED = tuple(Watched)
"""What sentences can be about."""


def load_monitor(text: str) -> MonitorFile:
    """Read a file, or `default`; `ConfigError` with every problem in it. `${NAME}` is read from the environment."""
    path = bundled_folder("configs") / "monitor.yaml" if text == DEFAULT else existing_file("monitor file", text)
    return build(MonitorFile, expanded(read_yaml(Path(path))))


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two {what}s are called '{name}'")


def _known(what: str, names: list[str], known: list[Any]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} '{name}'{did_you_mean(name, known)} (known: {', '.join(known)})")
