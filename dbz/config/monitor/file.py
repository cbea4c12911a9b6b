"""All of the file, and what must fit together in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import PrivateAttr, model_validator

from dbz.config.bundled import bundled_folder
from dbz.config.grammar.watched import Watched
from dbz.config.monitor.alerts import BUILT_IN, AlertRule
from dbz.config.monitor.kinds import TELLS, WatchedThing
from dbz.config.monitor.objectives import Objective, load_objectives
from dbz.config.monitor.references import misfits
from dbz.config.monitor.sections import MonitorSections
from dbz.config.monitor.targets import WatchedProbe
from dbz.config.source.files import existing_file
from dbz.config.source.model import MisfitsError, build
from dbz.config.source.source import PlaceholderVariables, YamlSource, expanded, read_yaml

DEFAULT = "default"


class MonitorFile(MonitorSections):
    """All of the file, in which everything fits together."""

    _objectives: tuple[Objective, ...] = PrivateAttr(())
    _source: YamlSource | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _fits_together(self) -> MonitorFile:
        if problems := list(misfits(self)):
            raise MisfitsError(problems)
        return self

    def target_of(self, probe: WatchedProbe) -> str:
        """The base URL that the scenario of a probe is played against."""
        return probe.target or self.targets[0].url

    def types_of(self, thing: WatchedThing) -> list[str]:
        """The types of all alerts of a thing."""
        burns = [level.type for objective in self.objectives_of(thing) for level in objective.levels]
        return [*(rule.type for rule in self.rules_of(thing)), *burns, *BUILT_IN]

    def objectives_of(self, thing: WatchedThing) -> list[Objective]:
        """The objectives that are about a thing; only services have requests and a health path."""
        if Watched.REQUESTS not in TELLS[thing.kind]:
            return []
        return [one for one in self._objectives if not one.entry.targets or thing.name in one.entry.targets]

    def read_from(self, source: YamlSource, objectives: Iterable[Objective]) -> MonitorFile:
        """The same with where it stands, and with what its budgets say, which stands in other files."""
        self._source, self._objectives = source, tuple(objectives)
        return self

    def where(self, *location: str | int) -> str:
        """The file and the line of an entry, like `("probes", 0, "scenario")`; empty where it is from no file."""
        return self._source.where(location) if self._source else ""

    def rules_of(self, thing: WatchedThing) -> list[AlertRule]:
        """The rules that are about a thing: those that name it, and those that name none and whose metric it may
        tell."""
        able = TELLS[thing.kind]
        return [
            rule for rule in self.alerts if (thing.name in rule.targets if rule.targets else rule.when.metric in able)
        ]


def load_monitor(text: str, *, with_secrets: bool = True) -> MonitorFile:
    """Read a file, or `default`; `ConfigError` with every problem in it. `${NAME}` is read from the environment.

    Without secrets, variables need not be set: nobody can be told anything by such a file then.
    """
    path = bundled_folder("configs") / "monitor.yaml" if text == DEFAULT else existing_file("monitor file", text)
    source = expanded(read_yaml(Path(path)), os.environ if with_secrets else PlaceholderVariables())
    config = build(MonitorFile, source)
    return config.read_from(source, load_objectives(config.objectives, source, Path(path).parent))
