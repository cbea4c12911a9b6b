"""All of the file, and what must fit together in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dbz.config.bundled import bundled_folder
from dbz.config.files import existing_file
from dbz.config.model import Duration, Strict, build
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.channels import LOG, AlertChannel
from dbz.config.monitor.fields import NAME, HttpUrl, named
from dbz.config.monitor.routes import AlertRoute, MuteTime
from dbz.config.monitor.targets import WatchedTarget
from dbz.config.source import expanded, read_yaml
from dbz.suggest import did_you_mean

DEFAULT = "default"
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 1.0, 3600.0


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
    channels: dict[Annotated[str, named(NAME, "slack")], AlertChannel] = Field(default_factory=dict)
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
