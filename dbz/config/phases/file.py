"""Reading a scaling plan: schema `dbz.phases/1`."""

from __future__ import annotations

from pathlib import Path

from dbz.config.bundled import bundled_folder
from dbz.config.phases.checks import contradictions
from dbz.config.phases.plan import ApiServers, Phase, Phases
from dbz.config.source.files import existing_file
from dbz.config.source.model import build
from dbz.config.source.source import YamlSource, read_yaml
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
    return _with_main_servers(plan)


def _with_main_servers(plan: Phases) -> Phases:
    """The plan with what its map of services says of `scaling.service` as `api_servers`, which is the same.

    As all services of a map do, it stays until a later phase says otherwise.
    """
    phases: list[Phase] = []
    mapped: ApiServers | None = None
    for phase in plan.phases:
        others = dict(phase.services)
        if (own := others.pop(plan.scaling.main, None)) is not None:
            mapped = ApiServers(min=own.min, max=own.max)
        elif phase.api_servers is not None:
            mapped = None
        said = {"api_servers": phase.api_servers or mapped, "services": others}
        phases.append(phase.model_copy(update=said))
    return plan.model_copy(update={"phases": phases})
