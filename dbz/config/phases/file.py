"""Reading a scaling plan: schema `dbz.phases/1`."""

from __future__ import annotations

from pathlib import Path

from dbz.config.bundled import bundled_folder
from dbz.config.files import existing_file
from dbz.config.model import build
from dbz.config.phases.checks import contradictions
from dbz.config.phases.plan import Phase, Phases
from dbz.config.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem

DEFAULT = "default"
BUNDLED = {DEFAULT: "phases.yaml", "triggers": "triggers.yaml"}
"""The plans that dbz ships, by name."""


def load_phases(path: str | Path = DEFAULT) -> Phases:
    """A bundled plan (`BUNDLED`), or that of a YAML file; `ConfigError` names every problem in it."""
    if path in BUNDLED:
        return build_phases(read_yaml(bundled_folder("configs") / BUNDLED[str(path)]))
    file = existing_file("phases", path, hint=f"dbz ships the plans {' and '.join(BUNDLED)}")
    plan = build_phases(read_yaml(file))
    return plan.model_copy(update={"phases": [_beside(file, phase) for phase in plan.phases]})


def _beside(file: Path, phase: Phase) -> Phase:
    """The phase with the files that it names as they are found from here: they stand beside the plan."""
    named = {key: getattr(phase, key) for key in ("warm_cache", "move_clubs")}
    found = {key: str(file.parent / text) for key, text in named.items() if text not in (None, DEFAULT)}
    return phase.model_copy(update=found) if found else phase


def build_phases(source: YamlSource) -> Phases:
    """The plan of a source."""
    plan = build(Phases, source)
    problems = [
        Problem(source.where(("phases", at)), f"phase '{name}' is there twice")
        for at, name in enumerate(plan.names)
        if name in plan.names[:at]
    ]
    problems += contradictions(plan, source)
    if problems:
        raise ConfigError(problems)
    return plan
