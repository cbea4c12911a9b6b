"""Sources that the room of monitoring is given: it knows no generator, as none of its siblings does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbz.config.monitor.file import MonitorFile
    from dbz.monitor.sources.reading import Source


def given_sources(config: MonitorFile, folder: Path) -> list[Source]:
    """A source for each probe that plays a scenario; their records lie below `folder` while they last.

    `UsageError` or `ConfigError` when a scenario or its target cannot be right.
    """
    probes = [probe for probe in config.probes if probe.scenario]
    if not probes:
        return []
    from dbz.load.standing import StandingLoad, plan_standing
    from dbz.monitor.sources.scenario import scenario_source

    plans = [plan_standing(probe.scenario, config.target_of(probe), probe.users, probe.every) for probe in probes]
    loads = [StandingLoad(plan, folder / probe.name) for plan, probe in zip(plans, probes, strict=True)]
    return [scenario_source(probe, load) for probe, load in zip(probes, loads, strict=True)]
